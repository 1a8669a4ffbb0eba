//! Registered deployments. They are read from the registry's snapshot, which holds all of them in
//! memory, and not from rows. How many invocations need them is counted in the rows of each
//! partition.

use std::collections::BTreeMap;

use protocol::DeploymentId;
use runtime_core::{
    model::{deployment::StoredDeployment, invocation::StatusKind},
    registry::RegistrySnapshot,
    tables::{Tables, tally::Tally},
    time::Timestamp,
};

use crate::{
    View,
    page::{Budget, Cursor, Page},
};

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

/// Whether invocations need a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// It is the latest deployment of at least one service, so invocations start on it.
    Active,
    /// None start on it any more, but some have to finish on it.
    Draining,
    /// No unfinished invocation is pinned to it, and none starts on it.
    Drained,
}

impl Drain {
    /// Whether a deployment is needed, to which so many unfinished invocations are pinned.
    pub fn of(registry: &RegistrySnapshot, deployment: &StoredDeployment, unfinished: u64) -> Self {
        let is_latest = latest_of(registry, deployment).next().is_some();
        match (is_latest, unfinished) {
            (true, _) => Self::Active,
            (false, 1..) => Self::Draining,
            (false, 0) => Self::Drained,
        }
    }

    /// Its name, which is also the official command line's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Drained => "drained",
        }
    }
}

/// The services whose latest revision a deployment offers.
pub fn latest_of<'a>(
    registry: &'a RegistrySnapshot,
    deployment: &'a StoredDeployment,
) -> impl Iterator<Item = &'a str> {
    let services = deployment.deployment.services.iter().map(|service| service.name.as_str());
    services.filter(move |service| {
        let latest = registry.latest_deployment(service);
        latest.is_some_and(|latest| latest.deployment.id == deployment.deployment.id)
    })
}

/// Reads how many of the invocations in a partition are pinned to a deployment, by service. Each is
/// a row, however many invocations it counts.
#[derive(Debug, Clone)]
pub struct UsageOf {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Start after this service, or at the first one.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for UsageOf {
    type Output = Page<(String, Tally)>;

    fn read(self, tables: &Tables<'_>) -> Self::Output {
        let after = self.after.as_ref().map(Cursor::key);
        let walk = tables.walk_pinned_tallies(self.deployment, after, self.budget);
        Page::of(walk, |_, tally| tally)
    }
}

/// How many invocations are pinned to a deployment, by service and status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage(BTreeMap<String, BTreeMap<StatusKind, u64>>);

impl Usage {
    /// Adds what is counted in one partition.
    pub fn add(&mut self, service: String, tally: Tally) {
        let counts = self.0.entry(service).or_default();
        for (status, count) in tally.counts() {
            *counts.entry(status).or_default() += count;
        }
    }

    /// The counts of each service.
    pub fn by_service(&self) -> &BTreeMap<String, BTreeMap<StatusKind, u64>> {
        &self.0
    }

    /// The counts of all services together.
    pub fn by_status(&self) -> BTreeMap<StatusKind, u64> {
        let mut all = BTreeMap::new();
        for (status, count) in self.0.values().flatten() {
            *all.entry(*status).or_default() += count;
        }
        all
    }

    /// How many have not ended.
    pub fn unfinished(&self) -> u64 {
        self.0.values().flat_map(unfinished).map(|(_, count)| count).sum()
    }

    /// How many of a service have not ended.
    pub fn unfinished_of(&self, service: &str) -> u64 {
        self.0.get(service).into_iter().flat_map(unfinished).map(|(_, count)| count).sum()
    }

    /// The same, without invocations that have ended, and without services that have no others.
    pub fn without_ended(&self) -> Self {
        let services = self.0.iter().filter_map(|(service, counts)| {
            let counts: BTreeMap<_, _> = unfinished(counts).collect();
            (!counts.is_empty()).then(|| (service.clone(), counts))
        });
        Self(services.collect())
    }
}

fn unfinished(counts: &BTreeMap<StatusKind, u64>) -> impl Iterator<Item = (StatusKind, u64)> {
    let counts = counts.iter().filter(|(status, _)| **status != StatusKind::Completed);
    counts.map(|(status, count)| (*status, *count))
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
