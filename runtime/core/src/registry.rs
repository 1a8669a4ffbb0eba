//! Deployments come and go. The edges read a snapshot that is published anew after each change.

use std::sync::Arc;

use protocol::DeploymentId;

use crate::{
    REGISTRY_PARTITION,
    context::Context,
    effect::{Answer, Effect},
    event::RequestId,
    tables::deployment::{Deployment, StoredDeployment},
};

/// Registers a deployment: each of its services becomes the next revision of its name.
pub(crate) fn registered(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    deployment: &Arc<Deployment>,
) {
    assert!(cx.partition.id == REGISTRY_PARTITION, "{:?}: no registry here", cx.lsn);
    let known = cx.tables.deployments();
    let revisions = deployment
        .services
        .iter()
        .map(|service| 1 + latest_revision(&known, &service.name))
        .collect();
    let created_at =
        cx.tables.deployment(deployment.id).map_or(cx.at, |existing| existing.created_at);
    cx.tables.put_deployment(StoredDeployment {
        deployment: Arc::clone(deployment),
        created_at,
        revisions,
    });
    let answer = Answer::Registered { deployment: deployment.id };
    cx.emit(Effect::PublishRegistry);
    cx.emit(Effect::Answer { request, answer });
}

/// Removes a deployment; invocations that are pinned to it fail until it is registered again.
pub(crate) fn removed(cx: &mut Context<'_, '_>, request: RequestId, deployment: DeploymentId) {
    assert!(cx.partition.id == REGISTRY_PARTITION, "{:?}: no registry here", cx.lsn);
    let existed = cx.tables.deployment(deployment).is_some();
    if existed {
        cx.tables.delete_deployment(deployment);
        cx.emit(Effect::PublishRegistry);
    }
    cx.emit(Effect::Answer { request, answer: Answer::Removed { existed } });
}

fn latest_revision(known: &[StoredDeployment], service: &str) -> u32 {
    known
        .iter()
        .flat_map(|stored| stored.deployment.services.iter().zip(&stored.revisions))
        .filter(|(definition, _)| definition.name == service)
        .map(|(_, revision)| *revision)
        .max()
        .unwrap_or(0)
}
