//! Who offers what, at one moment.

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

/// Nobody offers what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No deployment has the service.
    #[error("service '{service}' is not registered; register the deployment that offers it")]
    UnknownService {
        /// Its name.
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
    /// Which revision it is.
    pub revision: u32,
    /// Where it stands among the deployment's services.
    at: usize,
    handlers: BTreeMap<String, Handler>,
}

/// A handler of the latest revision of a service.
#[derive(Debug, Clone)]
pub struct Handler {
    /// What a proposer of invocations must know.
    pub facts: HandlerFacts,
    /// Whether it may be called from outside.
    pub is_public: bool,
    /// Where it stands among the service's handlers.
    at: usize,
}

impl Service {
    /// What its endpoint says of it.
    pub fn definition(&self) -> &ServiceDefinition {
        &self.deployment.deployment.services[self.at]
    }

    /// One of its handlers.
    pub fn handler(&self, name: &str) -> Option<&Handler> {
        self.handlers.get(name)
    }

    /// What its endpoint says of a handler.
    pub fn handler_definition(&self, handler: &Handler) -> &HandlerDefinition {
        &self.definition().handlers[handler.at]
    }

    /// Whether any of its handlers may be called from outside.
    pub fn is_public(&self) -> bool {
        !self.definition().options.ingress_private.unwrap_or(false)
    }
}

impl RegistrySnapshot {
    /// The view of these rows.
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

    /// The server's settings.
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// A deployment.
    pub fn deployment(&self, id: DeploymentId) -> Option<&Arc<StoredDeployment>> {
        self.deployments.get(&id)
    }

    /// All deployments, in the order of their ids: of their registration.
    pub fn deployments(&self) -> impl Iterator<Item = &Arc<StoredDeployment>> {
        self.deployments.values()
    }

    /// The same after one of them, which may have gone.
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

    /// The same after one of them, which may have gone, each with its name.
    pub fn services_after(&self, after: Option<&str>) -> impl Iterator<Item = (&str, &Service)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let services = self.services.range::<str, _>((from, Bound::Unbounded));
        services.map(|(name, service)| (name.as_str(), service))
    }

    /// The deployment that new invocations of a service go to.
    pub fn latest_deployment(&self, service: &str) -> Option<&Arc<StoredDeployment>> {
        self.services.get(service).map(|service| &service.deployment)
    }

    /// Where the attempts of an invocation run: on the deployment that it is pinned to, if it is still
    /// registered; one that is not pinned yet, on the latest of its service.
    pub fn runs_on(&self, pin: Option<Pin>, service: &str) -> Option<&Arc<StoredDeployment>> {
        match pin {
            Some(pin) => self.deployment(pin.deployment),
            None => self.latest_deployment(service),
        }
    }

    /// What applies to the attempts of a handler on a deployment: `None` when the deployment does
    /// not offer it.
    pub fn handler_settings(
        &self,
        deployment: &StoredDeployment,
        service: &str,
        handler: &str,
    ) -> Option<HandlerSettings> {
        let (service, handler) = deployment.deployment.handler(service, handler)?;
        Some(self.defaults.settings(service, handler))
    }

    /// What the latest revision says of a handler that is to be called.
    ///
    /// # Errors
    /// When nobody offers it.
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

    /// How the result of an invocation is typed: as the revision says that made it, since the latest may
    /// say something else by now. The latest is asked where nothing is known of that: it never ran, its
    /// row has gone with its retention, or the deployment was removed.
    pub fn output_rule(&self, pin: Option<Pin>, target: &Target) -> Option<&OutputRule> {
        let ran_on = pin.and_then(|pin| self.deployment(pin.deployment));
        let deployment = ran_on.or_else(|| self.latest_deployment(&target.service))?;
        let (_, handler) = deployment.deployment.handler(&target.service, &target.handler)?;
        Some(&handler.output)
    }

    /// Whether the result of an invocation may be read from outside, which is as its handler may be called.
    /// The latest revision says so; one that has no such handler any more leaves it to the one that the
    /// invocation ran on. `None` when neither is known.
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
