//! The operator API: deployments, services, invocations.
//!
//! Reading order: [`server`] (routes), `access` (who may ask), one file a resource (`deployments`, `services`,
//! `invocations`, `health`, `serdes`), [`metadata`] (what services are said to be), [`versions`],
//! [`extract`] (what a request says), [`discovery`] (what this crate asks of whoever can reach endpoints),
//! [`error`] (the one place where a refusal becomes a status), [`openapi`].

mod access;
pub mod deployments;
pub mod discovery;
pub mod error;
pub mod extract;
pub mod health;
pub mod invocations;
pub mod metadata;
mod nulls;
pub mod openapi;
pub mod serdes;
pub mod server;
pub mod services;
mod text;
mod unoffered;
pub mod versions;

use std::sync::Arc;

use runtime_http::Hosts;
use runtime_partition::{Clock, Partitions, budget::Share};
use runtime_schema::SharedRegistry;

pub use discovery::{Asked, Discovered, Discovery, DiscoveryError};
pub use server::serve;

/// Everything a request may need.
#[derive(Clone)]
pub struct Admin {
    /// The way to the partitions.
    pub partitions: Partitions,
    /// Who offers what.
    pub registry: SharedRegistry,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// How endpoints are asked what they offer.
    pub discovery: Arc<dyn Discovery>,
    /// Where clients reach the ingress, as they are told: with a slash at the end.
    pub ingress_url: String,
    /// Memory for the bodies of requests.
    pub memory: Share,
    /// Names that the server answers under.
    pub hosts: Hosts,
    /// This software's version.
    pub version: &'static str,
}

impl Admin {
    /// Milliseconds since the epoch.
    fn now_ms(&self) -> u64 {
        self.clock.now_us() / 1000
    }
}
