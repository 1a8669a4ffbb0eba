//! Which deployment offers which services, as of one moment.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use protocol::{DeploymentId, Target};

use super::settings::{Defaults, HandlerSettings, is_public};
use crate::{
    admission::HandlerFacts,
    model::{
        deployment::{HandlerDefinition, OutputRule, ServiceDefinition, StoredDeployment},
        invocation::Pin,
    },
};

/// No registered deployment offers the requested service or handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No deployment offers the service.
    #[error("service '{service}' is not registered; register the deployment that offers it")]
    UnknownService {
        /// Name of the service.
        service: String,
    },
    /// The latest revision of the service has no such handler.
    #[error("service '{service}' has no handler '{handler}' in its latest revision")]
    UnknownHandler {
        /// Name of the service.
        service: String,
        /// Name of the handler.
        handler: String,
    },
}

/// An immutable view of the registry.
#[derive(Debug)]
pub struct RegistrySnapshot {
    defaults: Defaults,
    deployments: BTreeMap<DeploymentId, Arc<StoredDeployment>>,
    services: BTreeMap<String, Service>,
}

/// The latest revision of a service.
#[derive(Debug, Clone)]
pub struct Service {
    /// The deployment that offers it.
    pub deployment: Arc<StoredDeployment>,
    /// The revision number.
    pub revision: u32,
    /// Index among the deployment's services.
    at: usize,
    handlers: BTreeMap<String, Handler>,
}

/// A handler of the latest revision of a service.
#[derive(Debug, Clone)]
pub struct Handler {
    /// What a proposer of invocations needs to know.
    pub facts: HandlerFacts,
    /// Whether it may be called through the ingress.
    pub is_public: bool,
    /// Index among the service's handlers.
    at: usize,
}

impl Service {
    /// The service's definition, as its endpoint declared it.
    pub fn definition(&self) -> &ServiceDefinition {
        &self.deployment.deployment.services[self.at]
    }

    /// The handler called `name`, if there is one.
    pub fn handler(&self, name: &str) -> Option<&Handler> {
        self.handlers.get(name)
    }

    /// A handler's definition, as its endpoint declared it.
    pub fn handler_definition(&self, handler: &Handler) -> &HandlerDefinition {
        &self.definition().handlers[handler.at]
    }

    /// Whether the service may be called through the ingress. A handler's own setting takes
    /// precedence, see [`Handler::is_public`].
    pub fn is_public(&self) -> bool {
        !self.definition().options.ingress_private.unwrap_or(false)
    }
}

impl RegistrySnapshot {
    /// Builds the view of these rows.
    pub fn new(deployments: Vec<StoredDeployment>, defaults: Defaults) -> Self {
        let deployments: BTreeMap<_, _> = deployments
            .into_iter()
            .map(|stored| (stored.deployment.id, Arc::new(stored)))
            .collect();
        let mut services: BTreeMap<String, Service> = BTreeMap::new();
        for stored in deployments.values() {
            let (id, revisions) = (stored.deployment.id, stored.revisions.len());
            let count = stored.deployment.services.len();
            assert!(count == revisions, "{id}: {count} services have {revisions} revisions");
            let definitions = stored.deployment.services.iter().zip(&stored.revisions);
            for (at, (definition, &revision)) in definitions.enumerate() {
                let known = services.get(&definition.name);
                if known.is_some_and(|known| known.revision > revision) {
                    continue;
                }
                let deployment = Arc::clone(stored);
                let handlers = handlers(definition, &defaults);
                let service = Service { deployment, revision, at, handlers };
                services.insert(definition.name.clone(), service);
            }
        }
        Self { defaults, deployments, services }
    }

    /// The server's default settings.
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// The deployment with this id, if it is registered.
    pub fn deployment(&self, id: DeploymentId) -> Option<&Arc<StoredDeployment>> {
        self.deployments.get(&id)
    }

    /// All deployments in the order of their ids, which is the order of registration.
    pub fn deployments(&self) -> impl Iterator<Item = &Arc<StoredDeployment>> {
        self.deployments.values()
    }

    /// The same, after the given one, which may have been removed.
    pub fn deployments_after(
        &self,
        after: Option<DeploymentId>,
    ) -> impl Iterator<Item = &Arc<StoredDeployment>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.deployments.range((from, Bound::Unbounded)).map(|(_, stored)| stored)
    }

    /// The latest revision of a service.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// The latest revisions of all services, by name.
    pub fn services(&self) -> Vec<&Service> {
        self.services.values().collect()
    }

    /// The same, after the given one, which may have been removed, each with its name.
    pub fn services_after(&self, after: Option<&str>) -> impl Iterator<Item = (&str, &Service)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let services = self.services.range::<str, _>((from, Bound::Unbounded));
        services.map(|(name, service)| (name.as_str(), service))
    }

    /// The deployment that new invocations of a service go to.
    pub fn latest_deployment(&self, service: &str) -> Option<&Arc<StoredDeployment>> {
        self.services.get(service).map(|service| &service.deployment)
    }

    /// The deployment that an invocation's attempts run on: the one it is pinned to, if it is still
    /// registered, or, if it is not pinned yet, the latest one of its service.
    pub fn runs_on(&self, pin: Option<Pin>, service: &str) -> Option<&Arc<StoredDeployment>> {
        match pin {
            Some(pin) => self.deployment(pin.deployment),
            None => self.latest_deployment(service),
        }
    }

    /// The settings that apply to a handler's attempts on a deployment; `None` if the deployment
    /// does not offer the handler.
    pub fn handler_settings(
        &self,
        deployment: &StoredDeployment,
        service: &str,
        handler: &str,
    ) -> Option<HandlerSettings> {
        let (service, handler) = deployment.deployment.handler(service, handler)?;
        Some(self.defaults.settings(service, handler))
    }

    /// What the latest revision declares about a handler to call.
    ///
    /// # Errors
    /// Returns an error if no deployment offers the service, or its latest revision lacks the
    /// handler.
    pub fn resolve(&self, service: &str, handler: &str) -> Result<HandlerFacts, ResolveError> {
        let Some(known) = self.services.get(service) else {
            return Err(ResolveError::UnknownService { service: service.to_owned() });
        };
        known.handler(handler).map(|handler| handler.facts).ok_or_else(|| {
            ResolveError::UnknownHandler {
                service: service.to_owned(),
                handler: handler.to_owned(),
            }
        })
    }

    /// The output rule for an invocation's result: that of the revision which ran it, since the
    /// latest may declare something else by now. Falls back to the latest if the former is unknown:
    /// the invocation never ran, its row has expired, or the deployment was removed.
    pub fn output_rule(&self, pin: Option<Pin>, target: &Target) -> Option<&OutputRule> {
        let ran_on = pin.and_then(|pin| self.deployment(pin.deployment));
        let deployment = ran_on.or_else(|| self.latest_deployment(&target.service))?;
        let (_, handler) = deployment.deployment.handler(&target.service, &target.handler)?;
        Some(&handler.output)
    }

    /// Whether the result of an invocation may be read through the ingress, which follows whether
    /// its handler may be called. The latest revision decides; if it no longer has the handler, the
    /// deployment that ran the invocation does. `None` if neither is known.
    pub fn is_public(&self, pin: Option<Pin>, target: &Target) -> Option<bool> {
        let latest = self.service(&target.service);
        let handler = latest.and_then(|service| service.handler(&target.handler));
        if let Some(handler) = handler {
            return Some(handler.is_public);
        }
        let ran_on = self.deployment(pin?.deployment)?;
        let handler = ran_on.deployment.handler(&target.service, &target.handler);
        Some(handler.is_some_and(|(service, handler)| is_public(service, handler)))
    }
}

fn handlers(definition: &ServiceDefinition, defaults: &Defaults) -> BTreeMap<String, Handler> {
    let handlers = definition.handlers.iter().enumerate();
    handlers
        .map(|(at, handler)| {
            let facts = defaults.facts(definition, handler);
            let is_public = is_public(definition, handler);
            (handler.name.clone(), Handler { facts, is_public, at })
        })
        .collect()
}
