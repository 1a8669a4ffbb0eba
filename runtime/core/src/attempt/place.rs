//! Where an attempt runs, and what applies to it there.

use std::sync::Arc;

use protocol::{DeploymentId, ProtocolVersion};

use super::{
    fault::Fault,
    options::{AttemptOptions, NodeOptions},
};
use crate::{
    effect::StartAttempt,
    model::{deployment::StoredDeployment, invocation::Pin},
    registry::RegistrySnapshot,
};

/// Where an attempt runs and how.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The deployment that it talks to.
    pub deployment: Arc<StoredDeployment>,
    /// What applies to it there.
    pub options: AttemptOptions,
}

/// An attempt that can run nowhere.
#[derive(Debug)]
pub struct Unplaced {
    /// Why.
    pub fault: Fault,
    /// How it is retried: registering the deployment mends it. By the handler's own policy, if any
    /// deployment says what that is.
    pub options: AttemptOptions,
}

/// Says where an attempt runs: on the deployment that its invocation is pinned to, in the protocol of
/// the pin; one that is not pinned yet, on the latest of its service, in the newest protocol that both
/// sides speak.
///
/// # Errors
/// When there is no such deployment, or it does not offer the handler any more or speaks no protocol that
/// the invocation can use.
pub fn place(
    registry: &RegistrySnapshot,
    start: &StartAttempt,
    node: &NodeOptions,
) -> Result<Placement, Box<Unplaced>> {
    find(registry, start, node).map_err(|message| {
        let fault = Fault::Deployment { message };
        Box::new(Unplaced { fault, options: fallback_options(registry, start, node) })
    })
}

fn find(
    registry: &RegistrySnapshot,
    start: &StartAttempt,
    node: &NodeOptions,
) -> Result<Placement, String> {
    let (service, handler) = (&start.target.service, &start.target.handler);
    let deployment = registry.runs_on(start.pin, service).ok_or_else(|| match start.pin {
        Some(pin) => format!("deployment {} is not registered any more", pin.deployment),
        None => format!("no deployment offers service '{service}' any more"),
    })?;
    let (min, max) = deployment.deployment.protocol_range;
    let protocol = match start.pin {
        Some(pin) => Some(pin.protocol).filter(|protocol| (min..=max).contains(&protocol.number())),
        None => ProtocolVersion::negotiate(min, max, node.max_protocol),
    };
    let id = deployment.deployment.id;
    let protocol = protocol.ok_or_else(|| {
        format!(
            "deployment {id} speaks service protocol {min} to {max}, which is none \
             that this invocation can use"
        )
    })?;
    let settings = registry
        .handler_settings(deployment, service, handler)
        .ok_or_else(|| format!("deployment {id} does not offer '{service}/{handler}' any more"))?;
    let options = AttemptOptions {
        pin: Pin { deployment: id, protocol },
        bidirectional: deployment.deployment.bidirectional,
        handler: settings,
        node: node.clone(),
    };
    Ok(Placement { deployment: Arc::clone(deployment), options })
}

fn fallback_options(
    registry: &RegistrySnapshot,
    start: &StartAttempt,
    node: &NodeOptions,
) -> AttemptOptions {
    let pinned = start.pin.and_then(|pin| registry.deployment(pin.deployment));
    let latest = registry.latest_deployment(&start.target.service);
    let others: Vec<_> = registry.deployments().collect();
    let known = pinned.into_iter().chain(latest).chain(others.into_iter().rev());
    let (service, handler) = (&start.target.service, &start.target.handler);
    let own = known
        .filter_map(|deployment| registry.handler_settings(deployment, service, handler))
        .next();
    // It talks to nobody, so all that counts is the policy.
    AttemptOptions {
        pin: Pin { deployment: DeploymentId(0), protocol: ProtocolVersion::MAX },
        bidirectional: false,
        handler: own.unwrap_or_else(|| registry.defaults().handler.clone()),
        node: node.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests;
