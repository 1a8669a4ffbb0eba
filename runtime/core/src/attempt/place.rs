//! Decides where an attempt runs, and with which options.

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

/// Where an attempt runs, and with which options.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The deployment that it talks to.
    pub deployment: Arc<StoredDeployment>,
    /// The options that apply on that deployment.
    pub options: AttemptOptions,
}

/// An attempt that no deployment can run.
#[derive(Debug)]
pub struct Unplaced {
    /// Why it cannot run.
    pub fault: Fault,
    /// The options for retrying it, since registering a deployment can fix it. They carry the
    /// handler's own retry policy if any deployment defines it, and the server's default otherwise.
    pub options: AttemptOptions,
}

/// Decides where an attempt runs: on the deployment that its invocation is pinned to, in the pinned
/// protocol version, or, if it is not pinned yet, on the latest deployment of its service, in the
/// newest protocol version that both sides support.
///
/// # Errors
/// Returns an error if there is no such deployment, or if it no longer offers the handler or
/// supports no protocol version that the invocation can use.
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
        Some(pin) => format!("deployment {} is no longer registered", pin.deployment),
        None => format!("no deployment offers service '{service}'"),
    })?;
    let (min, max) = deployment.deployment.protocol_range;
    let protocol = match start.pin {
        Some(pin) => Some(pin.protocol).filter(|protocol| (min..=max).contains(&protocol.number())),
        None => ProtocolVersion::negotiate(min, max, node.max_protocol),
    };
    let id = deployment.deployment.id;
    let protocol = protocol.ok_or_else(|| {
        format!(
            "deployment {id} supports service protocol {min} to {max}, none of which \
             this invocation can use"
        )
    })?;
    let settings = registry
        .handler_settings(deployment, service, handler)
        .ok_or_else(|| format!("deployment {id} no longer offers '{service}/{handler}'"))?;
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
    // The attempt talks to no endpoint, so only the retry policy matters.
    AttemptOptions {
        pin: Pin { deployment: DeploymentId(0), protocol: ProtocolVersion::MAX },
        bidirectional: false,
        handler: own.unwrap_or_else(|| registry.defaults().handler.clone()),
        node: node.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests;
