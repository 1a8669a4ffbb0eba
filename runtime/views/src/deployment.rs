//! Registered deployments. They are read from the registry's snapshot, which holds all of them in
//! memory, and not from rows.

use protocol::DeploymentId;
use runtime_core::{
    model::deployment::StoredDeployment, registry::RegistrySnapshot, time::Timestamp,
};

use crate::page::{Budget, Page};

/// A registered endpoint. [`crate::service`] has the details of its services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The id that it got when it was first registered.
    pub id: DeploymentId,
    /// Address of its endpoint. May contain a user name and a password.
    pub uri: String,
    /// Whether requests and responses are streamed at the same time.
    pub bidirectional: bool,
    /// Whether it is called with HTTP/1.1.
    pub http1: bool,
    /// Headers sent with each request to it. Values may be secrets.
    pub headers: Vec<(String, String)>,
    /// Arbitrary key/value pairs from the operator.
    pub metadata: Vec<(String, String)>,
    /// When it was first registered.
    pub created_at: Timestamp,
    /// Oldest and newest invocation protocol version that it supports.
    pub protocol_range: (u32, u32),
    /// Name and version of its SDK, as reported by the endpoint.
    pub sdk: Option<String>,
    /// The services that it offers.
    pub services: Vec<Revision>,
}

/// A service that a deployment offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Name of the service.
    pub name: String,
    /// Which revision of the service the deployment offers.
    pub revision: u32,
}

impl Deployment {
    /// A deployment as stored in the registry.
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

/// Reads deployments in registration order.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// Start after this deployment, or at the first one.
    pub after: Option<DeploymentId>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl List {
    /// Reads one page.
    pub fn read(self, registry: &RegistrySnapshot) -> Page<Deployment, DeploymentId> {
        let deployments = registry.deployments_after(self.after);
        let rows = deployments.map(|stored| (stored.deployment.id, Deployment::of(stored)));
        Page::of_known(rows, self.budget, Deployment::bytes)
    }
}
