//! The HTTP ingress: calls, sends, attaches, awakeables.
//!
//! Reading order: [`access`] (which requests are let in), [`path`] (URL to request, pure),
//! `headers` (what else a request carries), `input` (bodies and their JSON schemas), one file per verb (`invoke`, `send`, `attach`, which
//! also has output, `awakeable`, `lookup`), `answers` (memory for results), [`error`] (the single
//! place where a rejection becomes a status), [`server`] (dispatch of requests).
//!
//! **Invariant:** this crate proposes events and waits for answers. It writes no row, and a client
//! that disconnects disturbs nothing.

pub mod access;
mod answers;
mod attach;
mod awakeable;
mod body;
pub mod error;
mod headers;
mod health;
mod input;
mod invoke;
mod lookup;
pub mod path;
mod response;
mod send;
pub mod server;
mod typing;

use std::sync::Arc;

use protocol::ids::Derivation;
use runtime_http::Pressure;
use runtime_partition::{
    Clock, Partitions,
    budget::{Held, Share},
};
use runtime_schema::SharedRegistry;

pub use access::Access;
pub use server::{answer, serve};

/// Everything that handling a request may need.
#[derive(Clone)]
pub struct Ingress {
    /// Access to the partitions.
    pub partitions: Partitions,
    /// The registered deployments and their services.
    pub registry: SharedRegistry,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// How the ids of named invocations are derived from their names.
    pub derivation: Derivation,
    /// Bodies larger than this many bytes are refused.
    pub request_size_max_bytes: usize,
    /// Memory budgets of requests and responses.
    pub memory: Memory,
    /// Which requests are let in, and which headers are not passed on.
    pub access: Arc<Access>,
    /// Where inputs are checked that take long.
    pub long_checks: LongChecks,
}

/// Where inputs are checked that take longer than a request may hold its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongChecks {
    /// On threads that nobody else waits for.
    Aside,
    /// On the request's thread: for virtual time, which would pass meanwhile.
    Here,
}

/// The ingress's shares of the memory budget. Clones share them.
#[derive(Debug, Clone)]
pub struct Memory {
    /// For the bodies of new work. A request is refused if there is none left.
    pub requests: Share,
    /// For results that clients send, which wait for memory.
    pub results: Share,
    /// For responses that are being written.
    pub answers: Share,
    /// Tells the connections that a request waits for response memory.
    pub pressure: Pressure,
    /// Tells the connections that a request waits for body memory, or was refused it.
    pub body_pressure: Pressure,
}

impl Default for Memory {
    /// Capacity for a few of the largest requests and responses.
    fn default() -> Self {
        let share = || Share::new(4 * DEFAULT_REQUEST_SIZE_MAX_BYTES);
        Self {
            requests: share(),
            results: share(),
            answers: share(),
            pressure: Pressure::default(),
            body_pressure: Pressure::default(),
        }
    }
}

impl Memory {
    /// Waits for response memory. Clients that stop reading lose theirs in the meantime.
    async fn for_answer(&self, bytes: usize) -> Held {
        take(&self.answers, &self.pressure, bytes).await
    }

    /// Waits for memory of a result. Stalled bodies lose theirs in the meantime.
    async fn for_result(&self, bytes: usize) -> Held {
        take(&self.results, &self.body_pressure, bytes).await
    }
}

async fn take(share: &Share, pressure: &Pressure, bytes: usize) -> Held {
    match share.try_take(bytes) {
        Some(held) => held,
        None => {
            let _waits = pressure.begin();
            share.take(bytes).await
        }
    }
}

impl Ingress {
    /// Milliseconds since the epoch.
    fn now_ms(&self) -> u64 {
        self.clock.now_us() / 1000
    }
}

/// The real server's limit, which is also the largest message of the protocol: 32 MiB.
pub const DEFAULT_REQUEST_SIZE_MAX_BYTES: usize = 32 * 1024 * 1024;
