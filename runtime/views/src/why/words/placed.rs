//! Where an invocation runs, and whether it can.

use std::sync::Arc;

use protocol::{DeploymentId, InvocationId, Target};
use runtime_core::{
    model::{deployment::StoredDeployment, invocation::Pin},
    registry::RegistrySnapshot,
};

use super::{
    Draft, Kind,
    advice::{abandon, command, resume_on_latest},
};

/// Where the attempts of an invocation run.
pub(super) struct Placed<'r> {
    registry: &'r RegistrySnapshot,
    /// The deployment, if it is there and can run them.
    pub(super) on: Result<&'r Arc<StoredDeployment>, Fault>,
}

/// Why no deployment can run them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The one that it is pinned to is not registered.
    Gone(DeploymentId),
    /// It is not pinned, and no deployment offers the service.
    NoService,
    /// The deployment does not offer the handler.
    NoHandler(DeploymentId),
    /// The deployment does not speak the version of the protocol in which it has begun.
    Protocol(DeploymentId, u32),
}

/// Finds where the attempts of an invocation run. The order is that in which an attempt does.
pub(super) fn placed<'r>(
    registry: &'r RegistrySnapshot,
    pin: Option<Pin>,
    target: &Target,
) -> Placed<'r> {
    Placed { registry, on: find(registry, pin, target) }
}

fn find<'r>(
    registry: &'r RegistrySnapshot,
    pin: Option<Pin>,
    target: &Target,
) -> Result<&'r Arc<StoredDeployment>, Fault> {
    let Some(stored) = registry.runs_on(pin, &target.service) else {
        return Err(pin.map_or(Fault::NoService, |pin| Fault::Gone(pin.deployment)));
    };
    let deployment = &stored.deployment;
    let (min, max) = deployment.protocol_range;
    if let Some(begun) = pin.map(|pin| pin.protocol.number())
        && !(min..=max).contains(&begun)
    {
        return Err(Fault::Protocol(deployment.id, begun));
    }
    match deployment.handler(&target.service, &target.handler) {
        None => Err(Fault::NoHandler(deployment.id)),
        Some(_) => Ok(stored),
    }
}

impl Placed<'_> {
    /// The deployment as a sentence names it.
    pub(super) fn name(&self) -> String {
        match &self.on {
            Ok(stored) => format!("{} at {}", stored.deployment.id, uri(stored)),
            Err(_) => "no deployment".to_owned(),
        }
    }

    /// How many attempts its policy allows before it is paused.
    pub(super) fn max_attempts(&self, target: &Target) -> Option<u32> {
        let stored = self.on.as_ref().ok()?;
        let settings = self.registry.handler_settings(stored, &target.service, &target.handler)?;
        settings.retry.max_attempts
    }

    /// Whether another deployment offers the handler by now.
    pub(super) fn has_newer(&self, target: &Target) -> bool {
        let latest = self.registry.latest_deployment(&target.service);
        let latest = latest
            .filter(|latest| latest.deployment.handler(&target.service, &target.handler).is_some());
        let current = self.on.as_ref().ok().map(|stored| stored.deployment.id);
        latest.is_some_and(|latest| Some(latest.deployment.id) != current)
    }

    /// What keeps it from running there, if anything does.
    pub(super) fn fault(&self, id: InvocationId, target: &Target) -> Option<Draft> {
        let fault = self.on.as_ref().err()?;
        let service = &target.service;
        let (kind, detail) = match fault {
            Fault::Gone(deployment) => (
                Kind::DeploymentGone,
                format!("is pinned to {deployment}, which is no longer registered"),
            ),
            Fault::NoService => {
                (Kind::NotOffered, format!("has nowhere to run: no deployment offers {service}"))
            }
            Fault::NoHandler(deployment) => (
                Kind::NotOffered,
                format!(
                    "has nowhere to run: {deployment} does not offer {service}/{}",
                    target.handler
                ),
            ),
            Fault::Protocol(deployment, begun) => (
                Kind::NotOffered,
                format!(
                    "has begun in version {begun} of the service protocol, which {deployment} does \
                     not speak"
                ),
            ),
        };
        let is_unpinned = *fault == Fault::NoService;
        let mut advice = Vec::new();
        if is_unpinned || !self.has_newer(target) {
            let then = if is_unpinned {
                "to register an endpoint that offers it; it then runs by itself"
            } else {
                "to register an endpoint with its code, where it can go on"
            };
            advice.push(command(then, "abide deployments register URL".to_owned()));
        }
        advice.extend((!is_unpinned).then(|| resume_on_latest(id)));
        advice.extend(abandon(id));
        Some(Draft::new(kind, detail, advice))
    }
}

/// The address without its query, which may contain a secret.
pub(super) fn uri(stored: &StoredDeployment) -> &str {
    let uri = stored.deployment.uri.as_str();
    uri.split_once('?').map_or(uri, |(before, _)| before)
}
