//! Registering, changing and removing deployments. The edges read a snapshot that is republished
//! after each change.
//!
//! Reading order: this file (what operators change), `change` (the same with an audit), [`facts`]
//! (what is different afterwards), [`snapshot`] (which deployment offers which handler),
//! [`settings`] (the settings that apply to a handler).

pub(crate) mod change;
pub mod facts;
pub mod settings;
pub mod snapshot;

use std::sync::Arc;

use protocol::{DeploymentId, HandlerKind, ServiceKind};

use crate::{
    context::Context,
    effect::{Answer, Configured, Effect, Registered, Updated},
    model::{
        deployment::{Deployment, ServiceDefinition, ServiceOptions, StoredDeployment},
        ids::{REGISTRY_PARTITION, RequestId},
    },
};

pub use settings::{Defaults, HandlerSettings, RetryPolicy};
pub use snapshot::{Handler, RegistrySnapshot, ResolveError, Service};

/// Registers a deployment unless its address is already registered or a service would change its
/// kind. Checked here rather than at the edge because only records are ordered: if several requests
/// offer the same address at once, the first is registered and the others get its id.
fn offer(
    cx: &mut Context<'_, '_>,
    offered: &Arc<Deployment>,
    replace: bool,
    allow_breaking: bool,
) -> Registered {
    let known = cx.tables.deployments();
    let existing = known.iter().rfind(|stored| stored.deployment.uri == offered.uri);
    match existing.map(|stored| stored.deployment.id) {
        Some(id) if !replace => Registered::Kept(id),
        existing => match kind_changed(&known, offered) {
            Some(changed) if !allow_breaking => changed,
            Some(_) | None => {
                let id = existing.unwrap_or(offered.id);
                let deployment = if id == offered.id {
                    Arc::clone(offered)
                } else {
                    Arc::new(Deployment { id, ..Deployment::clone(offered) })
                };
                store(cx, &known, deployment);
                existing.map_or(Registered::New(id), Registered::Replaced)
            }
        },
    }
}

/// As [`offer`], under an older event, of which no audit is kept.
pub(crate) fn offered(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    offered: &Arc<Deployment>,
    replace: bool,
    allow_breaking: bool,
) {
    let registered = offer(cx, offered, replace, allow_breaking);
    cx.emit(Effect::Answer { request, answer: Answer::Registered(registered) });
}

/// Registers a deployment, regardless of what else is registered. No audit is kept.
pub(crate) fn registered(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    deployment: &Arc<Deployment>,
) {
    let known = cx.tables.deployments();
    store(cx, &known, Arc::clone(deployment));
    let answer = Answer::Registered(Registered::New(deployment.id));
    cx.emit(Effect::Answer { request, answer });
}

/// Stores a deployment: each of its services becomes the next revision under its name.
fn store(cx: &mut Context<'_, '_>, known: &[StoredDeployment], deployment: Arc<Deployment>) {
    assert!(
        cx.partition.id == REGISTRY_PARTITION,
        "{:?}: this partition does not hold the registry",
        cx.lsn
    );
    let revisions = deployment.services.iter();
    let revisions = revisions.map(|service| next_revision(known, &service.name)).collect();
    assert!(
        known.is_sorted_by_key(|stored| stored.deployment.id),
        "{:?}: deployments are not ordered by id",
        cx.lsn
    );
    let created_at =
        cx.tables.deployment(deployment.id).map_or(cx.at, |existing| existing.created_at);
    cx.tables.put_deployment(StoredDeployment { deployment, created_at, revisions });
    cx.emit(Effect::PublishRegistry);
}

/// Removes a deployment; returns whether it existed. Invocations pinned to it can no longer run: ids
/// are never reused, so registering the same address again assigns a new one.
fn remove(cx: &mut Context<'_, '_>, deployment: DeploymentId) -> bool {
    assert!(
        cx.partition.id == REGISTRY_PARTITION,
        "{:?}: this partition does not hold the registry",
        cx.lsn
    );
    let existed = cx.tables.deployment(deployment).is_some();
    if existed {
        cx.tables.delete_deployment(deployment);
        cx.emit(Effect::PublishRegistry);
    }
    existed
}

/// As [`remove`], under an older event, of which no audit is kept.
pub(crate) fn removed(cx: &mut Context<'_, '_>, request: RequestId, deployment: DeploymentId) {
    let existed = remove(cx, deployment);
    cx.emit(Effect::Answer { request, answer: Answer::Removed { existed } });
}

/// Changes how a deployment is called: its address, headers and the like. Its services stay what
/// they are, unless they are to be overwritten.
fn update(cx: &mut Context<'_, '_>, offered: &Arc<Deployment>, overwrite: bool) -> Updated {
    let known = cx.tables.deployments();
    match updatable(&known, offered, overwrite) {
        Ok(existing) => {
            let stored = if overwrite {
                overwritten(existing, offered, |service| next_revision(&known, service))
            } else {
                let services = existing.deployment.services.clone();
                let deployment = Arc::new(Deployment { services, ..Deployment::clone(offered) });
                StoredDeployment { deployment, ..existing.clone() }
            };
            replace(cx, stored);
            Updated::Done
        }
        Err(refused) => refused,
    }
}

/// As [`update`], under an older event, of which no audit is kept.
pub(crate) fn updated(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    offered: &Arc<Deployment>,
    overwrite: bool,
) {
    let outcome = update(cx, offered, overwrite);
    cx.emit(Effect::Answer { request, answer: Answer::Updated(outcome) });
}

/// A deployment with what it offers now. Services that it offered before keep their revision: what
/// is called at a revision must not become the latest because an older endpoint was looked at again.
pub fn overwritten(
    existing: &StoredDeployment,
    offered: &Arc<Deployment>,
    next_revision: impl Fn(&str) -> u32,
) -> StoredDeployment {
    let known = existing.deployment.services.iter().zip(&existing.revisions);
    let kept = |name: &str| known.clone().find(|(service, _)| service.name == name);
    let revision = |name: &str| kept(name).map_or_else(|| next_revision(name), |(_, kept)| *kept);
    let revisions = offered.services.iter().map(|service| revision(&service.name)).collect();
    StoredDeployment { deployment: Arc::clone(offered), created_at: existing.created_at, revisions }
}

/// The deployment that an update is for, or why it is refused.
fn updatable<'a>(
    known: &'a [StoredDeployment],
    offered: &Deployment,
    overwrite: bool,
) -> Result<&'a StoredDeployment, Updated> {
    let existing = known.iter().find(|stored| stored.deployment.id == offered.id);
    let existing = existing.ok_or(Updated::NotFound)?;
    let mut others = known.iter().map(|stored| &stored.deployment);
    if let Some(other) = others.find(|it| it.uri == offered.uri && it.id != offered.id) {
        return Err(Updated::AddressTaken(other.id));
    }
    let lost = if overwrite { Vec::new() } else { existing.deployment.lost_in(offered) };
    if lost.is_empty() { Ok(existing) } else { Err(Updated::Lost(lost)) }
}

/// Changes settings of the latest revision of a service. The next discovery brings those of its
/// endpoint back, along with the next revision.
fn configure(cx: &mut Context<'_, '_>, service: &str, changes: &ServiceOptions) -> Configured {
    let known = cx.tables.deployments();
    match latest(&known, service) {
        None => Configured::NotFound,
        Some(Revision { definition, .. })
            if changes.workflow_retention_ms.is_some()
                && definition.kind != ServiceKind::Workflow =>
        {
            Configured::NotAWorkflow
        }
        Some(Revision { stored, at, .. }) => {
            let mut stored = stored.clone();
            let deployment = Arc::make_mut(&mut stored.deployment);
            set(&mut deployment.services[at], changes);
            replace(cx, stored);
            Configured::Done
        }
    }
}

/// As [`configure`], under an older event, of which no audit is kept.
pub(crate) fn configured(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    service: &str,
    changes: &ServiceOptions,
) {
    let outcome = configure(cx, service, changes);
    cx.emit(Effect::Answer { request, answer: Answer::Configured(outcome) });
}

fn set(service: &mut ServiceDefinition, changes: &ServiceOptions) {
    service.options = changes.or(&service.options);
    // Manifests may set it on the only handler that it is for, whose settings come first.
    let run = service.handlers.iter_mut().filter(|handler| handler.kind == HandlerKind::Workflow);
    for run in run {
        let own = &mut run.options.workflow_retention_ms;
        *own = changes.workflow_retention_ms.or(*own);
    }
}

/// Writes another version of a registered deployment, which keeps its revisions.
fn replace(cx: &mut Context<'_, '_>, stored: StoredDeployment) {
    assert!(
        cx.partition.id == REGISTRY_PARTITION,
        "{:?}: this partition does not hold the registry",
        cx.lsn
    );
    cx.tables.put_deployment(stored);
    cx.emit(Effect::PublishRegistry);
}

/// The first service whose kind would change.
fn kind_changed(known: &[StoredDeployment], offered: &Deployment) -> Option<Registered> {
    offered.services.iter().find_map(|service| {
        let was = latest(known, &service.name)?.definition.kind;

        (was != service.kind).then(|| Registered::KindChanged {
            service: service.name.clone(),
            was,
            would_be: service.kind,
        })
    })
}

/// The revision that a service gets with its next registration.
fn next_revision(known: &[StoredDeployment], service: &str) -> u32 {
    1 + latest(known, service).map_or(0, |known| known.revision)
}

/// A revision of a service.
struct Revision<'a> {
    stored: &'a StoredDeployment,
    /// Index among the deployment's services.
    at: usize,
    definition: &'a ServiceDefinition,
    revision: u32,
}

/// The latest revision of a service.
fn latest<'a>(known: &'a [StoredDeployment], service: &str) -> Option<Revision<'a>> {
    let all = known.iter().flat_map(|stored| {
        let definitions = stored.deployment.services.iter().zip(&stored.revisions).enumerate();
        definitions.map(move |(at, (definition, &revision))| Revision {
            stored,
            at,
            definition,
            revision,
        })
    });
    all.filter(|known| known.definition.name == service).max_by_key(|known| known.revision)
}
