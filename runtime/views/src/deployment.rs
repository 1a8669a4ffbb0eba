//! Registered deployments. The registry's snapshot has them all in memory, so they are read from it and not
//! from rows.

use protocol::DeploymentId;
use runtime_core::{
    model::deployment::StoredDeployment, registry::RegistrySnapshot, time::Timestamp,
};

use crate::page::{Budget, Page};

/// A registered endpoint. What it offers in detail is in [`crate::service`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Where it answers. It may name a user and a password.
    pub uri: String,
    /// Whether requests and responses overlap.
    pub bidirectional: bool,
    /// Whether it is spoken to in HTTP/1.1.
    pub http1: bool,
    /// Headers sent with each request to it. Their values may be secrets.
    pub headers: Vec<(String, String)>,
    /// Free key/value pairs of the operator.
    pub metadata: Vec<(String, String)>,
    /// When it was first registered.
    pub created_at: Timestamp,
    /// Oldest and newest invocation protocol that it says it speaks.
    pub protocol_range: (u32, u32),
    /// What its SDK says it is.
    pub sdk: Option<String>,
    /// What it offers.
    pub services: Vec<Revision>,
}

/// A service of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its name.
    pub name: String,
    /// Which revision of it the deployment has.
    pub revision: u32,
}

impl Deployment {
    /// What the registry says of it.
    pub fn of(stored: &StoredDeployment) -> Self {
        let deployment = &*stored.deployment;
        let services = deployment.services.iter().zip(&stored.revisions);
        let services = services
            .map(|(service, &revision)| Revision { name: service.name.clone(), revision })
            .collect();
        Self {
            id: deployment.id,
            uri: deployment.uri.clone(),
            bidirectional: deployment.bidirectional,
            http1: deployment.http1,
            headers: deployment.headers.clone(),
            metadata: deployment.metadata.clone(),
            created_at: stored.created_at,
            protocol_range: deployment.protocol_range,
            sdk: deployment.sdk.clone(),
            services,
        }
    }

    fn bytes(&self) -> usize {
        let pairs = self.headers.iter().chain(&self.metadata);
        self.uri.len()
            + pairs.map(|(name, value)| name.len() + value.len()).sum::<usize>()
            + self.services.iter().map(|service| service.name.len()).sum::<usize>()
    }
}

/// Looks at deployments in the order of their registration.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// After which one.
    pub after: Option<DeploymentId>,
    /// How much may be read.
    pub budget: Budget,
}

impl List {
    /// Looks.
    pub fn see(self, registry: &RegistrySnapshot) -> Page<Deployment, DeploymentId> {
        let deployments = registry.deployments_after(self.after);
        let rows = deployments.map(|stored| (stored.deployment.id, Deployment::of(stored)));
        Page::of_known(rows, self.budget, Deployment::bytes)
    }
}
