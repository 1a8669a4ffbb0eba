//! The registry as the edges share it: a snapshot that is swapped once a change is durable, and the rules
//! by which a manifest becomes a deployment.
//!
//! Reading order: [`address`] (where an endpoint answers), [`headers`] (what may be sent there), [`limits`] (how
//! large all of it may be), [`discover`] (from a manifest to a deployment, pure).

pub mod address;
pub mod discover;
pub mod headers;
pub mod limits;

use std::sync::Arc;

use arc_swap::ArcSwap;
use runtime_core::{
    model::deployment::StoredDeployment,
    registry::{Defaults, RegistrySnapshot},
};

/// The current snapshot, shared by all edges.
#[derive(Debug, Clone)]
pub struct SharedRegistry(Arc<ArcSwap<RegistrySnapshot>>);

impl SharedRegistry {
    /// A registry in which nothing is registered.
    pub fn new(defaults: Defaults) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(RegistrySnapshot::new(Vec::new(), defaults))))
    }

    /// The registry as it is now. A snapshot stays as it is.
    pub fn snapshot(&self) -> Arc<RegistrySnapshot> {
        self.0.load_full()
    }

    /// Takes over the registry's rows.
    pub fn publish(&self, deployments: Vec<StoredDeployment>) {
        let defaults = self.0.load().defaults().clone();
        self.0.store(Arc::new(RegistrySnapshot::new(deployments, defaults)));
    }
}

#[cfg(test)]
mod tests;
