//! HTTP in: calls, sends, attaches, awakeables.
//!
//! Reading order: [`access`] (who may ask), [`path`] (URL to request, pure), `headers` (what else a
//! request says), one file a verb (`invoke`, `send`, `attach`, `output`, `awakeable`, `lookup`),
//! `answers` (memory for results), [`error`] (the one place where a rejection becomes a status),
//! [`server`] (connections).
//!
//! **Invariant:** this crate proposes events and waits for answers. It writes no row, and a client
//! that goes away disturbs nothing.

pub mod access;
mod answers;
mod attach;
mod awakeable;
mod body;
pub mod error;
mod headers;
mod health;
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
    /// What requests and answers may hold.
    pub memory: Memory,
    /// Who may ask, and what is not handed over.
    pub access: Arc<Access>,
}

/// Parts of the memory budget. Clones share them.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Of bodies of new work, which is refused when there is none.
    pub requests: Share,
    /// Of results that clients bring, which wait for it.
    pub results: Share,
    /// Of answers that are being written.
    pub answers: Share,
    /// Tells the connections that somebody waits for the memory of answers.
    pub pressure: Pressure,
    /// Tells them that somebody waits for the memory of bodies, or was refused it.
    pub body_pressure: Pressure,
}

impl Default for Memory {
    /// Room for a few of the largest requests and answers.
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
    /// Waits for memory of an answer; readers that take nothing lose theirs meanwhile.
    async fn for_answer(&self, bytes: usize) -> Held {
        take(&self.answers, &self.pressure, bytes).await
    }

    /// Waits for memory of a result; bodies that do not go on lose theirs meanwhile.
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
