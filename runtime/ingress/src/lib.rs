//! HTTP in: calls, sends, attaches, awakeables.
//!
//! Reading order: [`path`] (URL to request, pure), `headers` (what else a request says), one file
//! a verb (`invoke`, `send`, `attach`, `output`, `awakeable`, `lookup`), [`error`] (the one place
//! where a rejection becomes a status), [`server`] (connections).
//!
//! **Invariant:** this crate proposes events and waits for answers. It writes no row, and a client
//! that goes away disturbs nothing.

mod attach;
mod awakeable;
mod body;
pub mod error;
mod headers;
mod health;
mod ids;
mod invoke;
mod lookup;
pub mod path;
mod response;
mod send;
pub mod server;
mod typing;

use std::sync::Arc;

use protocol::ids::Derivation;
use runtime_partition::{Clock, Partitions};
use runtime_schema::SharedRegistry;

pub use server::{answer, serve};

/// Everything a request may need.
#[derive(Clone)]
pub struct Ingress {
    /// The way to the partitions.
    pub partitions: Partitions,
    /// Who offers what.
    pub registry: SharedRegistry,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// How ids of named invocations follow from their names.
    pub derivation: Derivation,
    /// Bodies larger than this many bytes are refused.
    pub request_size_max_bytes: usize,
}

impl Ingress {
    /// Milliseconds since the epoch.
    fn now_ms(&self) -> u64 {
        self.clock.now_us() / 1000
    }
}

/// The real server's limit, which is also the largest message of the protocol: 32 MiB.
pub const DEFAULT_REQUEST_SIZE_MAX_BYTES: usize = 32 * 1024 * 1024;
