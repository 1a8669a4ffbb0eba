//! The operator API: deployments, services, invocations.
//!
//! Reading order: [`server`] (routes), `access` (which requests are let in), one file per resource
//! (`deployments`, `services`, `state`, `invocations`, `query`, `changes`, `backups`, `health`,
//! `serdes`), `why` (why something does not go on),
//! [`metadata`] (the representation of services), [`operator`] (who asks, and why), [`versions`],
//! `unoffered` (what is not supported yet), [`extract`] (path, query and body of a request), `memory`
//! (for bodies),
//! [`discovery`] (how endpoints are called), [`error`] (the single place where a refusal becomes a
//! status), [`openapi`].

mod access;
pub mod backups;
pub mod changes;
pub mod deployments;
pub mod discovery;
pub mod error;
pub mod extract;
pub mod health;
pub mod invocations;
mod memory;
pub mod metadata;
mod nulls;
pub mod openapi;
pub mod operator;
pub mod query;
pub mod serdes;
pub mod server;
pub mod services;
pub mod state;
mod text;
mod unoffered;
pub mod versions;
pub mod why;

use std::sync::Arc;

use protocol::{ProtocolVersion, ids::Derivation};
use runtime_http::Hosts;
use runtime_partition::{Clock, Partitions};
use runtime_schema::SharedRegistry;
use runtime_views::why::Attempts;

pub use backups::{Backup, BackupError, Backups};
pub use changes::ChangeFeed;
pub use discovery::{Discovered, Discovery, DiscoveryError, EndpointProbe};
pub use memory::BodyMemory;
pub use query::{Queries, QueryError, QueryFault, RowFormat};
pub use server::serve;

/// Everything that handling a request may need.
#[derive(Clone)]
pub struct Admin {
    /// Access to the partitions.
    pub partitions: Partitions,
    /// The registered deployments and their services.
    pub registry: SharedRegistry,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// What has become of attempts.
    pub attempts: Arc<dyn Attempts>,
    /// Calls endpoints outside of attempts.
    pub discovery: Arc<dyn Discovery>,
    /// The newest version of the service protocol that attempts may use.
    pub max_protocol: ProtocolVersion,
    /// How the ids of what is named are derived from the names.
    pub derivation: Derivation,
    /// Runs queries in SQL.
    pub queries: Arc<dyn Queries>,
    /// Changes as they become durable.
    pub changes: Arc<dyn ChangeFeed>,
    /// Takes backups.
    pub backups: Arc<dyn Backups>,
    /// The ingress address that clients see, with a trailing slash.
    pub ingress_url: String,
    /// Memory for the bodies of requests.
    pub memory: BodyMemory,
    /// Host names that the server accepts.
    pub hosts: Hosts,
    /// Version of this software.
    pub version: &'static str,
}

impl Admin {
    /// Milliseconds since the epoch.
    fn now_ms(&self) -> u64 {
        self.clock.now_us() / 1000
    }
}
