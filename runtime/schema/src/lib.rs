//! The registry as shared by the edges: a snapshot that is replaced once a change is durable, and
//! the rules that turn a manifest into a deployment.
//!
//! Reading order: [`address`] (where an endpoint is reached), [`headers`] (what may be sent to it),
//! [`limits`] (how large everything may be), [`content_type`], [`input_schema`] (JSON schemas that inputs
//! have to match),
//! [`registration`] (from a manifest to a deployment, pure).

pub mod address;
pub mod content_type;
pub mod headers;
pub mod input_schema;
pub mod limits;
pub mod registration;

use std::sync::Arc;

use arc_swap::ArcSwap;
use input_schema::enforced::{Enforced, InputSchemas};
use runtime_core::{
    model::deployment::StoredDeployment,
    registry::{Defaults, RegistrySnapshot},
};

/// The current snapshot, shared by all edges. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedRegistry(Arc<ArcSwap<Published>>);

/// A snapshot, and what is derived from it.
#[derive(Debug)]
struct Published {
    registry: Arc<RegistrySnapshot>,
    inputs: InputSchemas,
}

impl SharedRegistry {
    /// An empty registry.
    pub fn new(defaults: Defaults) -> Self {
        let registry = Arc::new(RegistrySnapshot::new(Vec::new(), defaults));
        let inputs = InputSchemas::default();
        Self(Arc::new(ArcSwap::from_pointee(Published { registry, inputs })))
    }

    /// The current snapshot, which is immutable.
    pub fn snapshot(&self) -> Arc<RegistrySnapshot> {
        Arc::clone(&self.0.load().registry)
    }

    /// The schema that inputs of a handler have to match, if its endpoint asks for that.
    pub fn input_schema(&self, service: &str, handler: &str) -> Option<Arc<Enforced>> {
        self.0.load().inputs.get(service, handler).cloned()
    }

    /// Replaces the snapshot with one built from the registry's rows.
    pub fn publish(&self, deployments: Vec<StoredDeployment>) {
        let earlier = self.0.load_full();
        let defaults = earlier.registry.defaults().clone();
        let registry = Arc::new(RegistrySnapshot::new(deployments, defaults));
        let inputs = InputSchemas::of(&registry, &earlier.inputs);
        self.0.store(Arc::new(Published { registry, inputs }));
    }
}

#[cfg(test)]
mod tests;
