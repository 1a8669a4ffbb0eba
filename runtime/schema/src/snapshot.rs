//! Who offers what, at one moment.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use protocol::DeploymentId;
use runtime_core::{
    admission::HandlerFacts,
    attempt::{Registry, ResolveError},
    tables::deployment::{HandlerDefinition, ServiceDefinition, StoredDeployment},
};

use crate::settings::{Defaults, HandlerSettings, is_public};

/// An immutable view of the registry.
#[derive(Debug)]
pub struct RegistrySnapshot {
    defaults: Defaults,
    deployments: BTreeMap<DeploymentId, Arc<StoredDeployment>>,
    services: HashMap<String, Service>,
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
    handlers: HashMap<String, Handler>,
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
        let mut services: HashMap<String, Service> = HashMap::new();
        for stored in deployments.values() {
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

    /// The latest revision of a service.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(name)
    }

    /// The latest revisions of all services, by name.
    pub fn services(&self) -> Vec<&Service> {
        let mut services: Vec<_> = self.services.values().collect();
        services.sort_by(|a, b| a.definition().name.cmp(&b.definition().name));
        services
    }

    /// The deployment that new invocations of a service go to.
    pub fn latest_deployment(&self, service: &str) -> Option<&Arc<StoredDeployment>> {
        self.services.get(service).map(|service| &service.deployment)
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
}

impl Registry for RegistrySnapshot {
    fn resolve(&self, service: &str, handler: &str) -> Result<HandlerFacts, ResolveError> {
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
}

fn handlers(definition: &ServiceDefinition, defaults: &Defaults) -> HashMap<String, Handler> {
    let handlers = definition.handlers.iter().enumerate();
    handlers
        .map(|(at, handler)| {
            let facts = defaults.facts(definition, handler);
            let is_public = is_public(definition, handler);
            (handler.name.clone(), Handler { facts, is_public, at })
        })
        .collect()
}
