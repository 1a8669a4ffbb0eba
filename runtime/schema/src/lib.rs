//! The registry as shared by the edges: a snapshot that is replaced once a change is durable, and
//! the rules that turn a manifest into a deployment.
//!
//! Reading order: [`address`] (where an endpoint is reached), [`headers`] (what may be sent to it),
//! [`limits`] (how large everything may be), [`registration`] (from a manifest to a deployment, pure).

pub mod address;
pub mod headers;
pub mod limits;
pub mod registration;

use std::sync::Arc;

use arc_swap::ArcSwap;
use runtime_core::{
    model::deployment::StoredDeployment,
    registry::{Defaults, RegistrySnapshot},
};

/// The current snapshot, shared by all edges. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedRegistry(Arc<ArcSwap<RegistrySnapshot>>);

impl SharedRegistry {
    /// An empty registry.
    pub fn new(defaults: Defaults) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(RegistrySnapshot::new(Vec::new(), defaults))))
    }

    /// The current snapshot, which is immutable.
    pub fn snapshot(&self) -> Arc<RegistrySnapshot> {
        self.0.load_full()
    }

    /// Replaces the snapshot with one built from the registry's rows.
    pub fn publish(&self, deployments: Vec<StoredDeployment>) {
        let defaults = self.0.load().defaults().clone();
        self.0.store(Arc::new(RegistrySnapshot::new(deployments, defaults)));
    }
}

#[cfg(test)]
mod tests;
