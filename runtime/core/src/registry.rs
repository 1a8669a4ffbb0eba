//! Registering and removing deployments. The edges read a snapshot that is republished after each
//! change.
//!
//! Reading order: this file (registration and removal), [`snapshot`] (which deployment offers which
//! handler), [`settings`] (the settings that apply to a handler).

pub mod settings;
pub mod snapshot;

use std::sync::Arc;

use protocol::{DeploymentId, ServiceKind};

use crate::{
    context::Context,
    effect::{Answer, Effect, Registered},
    model::{
        deployment::{Deployment, StoredDeployment},
        ids::{REGISTRY_PARTITION, RequestId},
    },
};

pub use settings::{Defaults, HandlerSettings, RetryPolicy};
pub use snapshot::{Handler, RegistrySnapshot, ResolveError, Service};

/// Registers a deployment unless its address is already registered or a service would change its
/// kind. Checked here rather than at the edge because only records are ordered: if several requests
/// offer the same address at once, the first is registered and the others get its id.
pub(crate) fn offered(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    offered: &Arc<Deployment>,
    replace: bool,
    allow_breaking: bool,
) {
    let known = cx.tables.deployments();
    let existing = known.iter().rfind(|stored| stored.deployment.uri == offered.uri);
    let registered = match existing.map(|stored| stored.deployment.id) {
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
    };
    cx.emit(Effect::Answer { request, answer: Answer::Registered(registered) });
}

/// Registers a deployment, regardless of what else is registered.
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
    let revision = |name: &str| 1 + latest(known, name).map_or(0, |(revision, _)| revision);
    let revisions =
        deployment.services.iter().map(|service| revision(&service.name)).collect::<Vec<_>>();
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

/// Removes a deployment. Invocations pinned to it can no longer run: ids are never reused, so
/// registering the same address again assigns a new one.
pub(crate) fn removed(cx: &mut Context<'_, '_>, request: RequestId, deployment: DeploymentId) {
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
    cx.emit(Effect::Answer { request, answer: Answer::Removed { existed } });
}

/// The first service whose kind would change.
fn kind_changed(known: &[StoredDeployment], offered: &Deployment) -> Option<Registered> {
    offered.services.iter().find_map(|service| {
        let (_, was) = latest(known, &service.name)?;

        (was != service.kind).then(|| Registered::KindChanged {
            service: service.name.clone(),
            was,
            would_be: service.kind,
        })
    })
}

/// The latest revision of a service and its kind in that revision.
fn latest(known: &[StoredDeployment], service: &str) -> Option<(u32, ServiceKind)> {
    known
        .iter()
        .flat_map(|stored| stored.deployment.services.iter().zip(&stored.revisions))
        .filter(|(definition, _)| definition.name == service)
        .map(|(definition, revision)| (*revision, definition.kind))
        .max_by_key(|(revision, _)| *revision)
}
