//! The shell around the Attempt state machine: HTTP requests to deployments.
//!
//! Reading order: `supervisor` (the attempts in progress), `unsent` (what waits for them), `limiter` (how many there may be), `task`
//! (one attempt: bytes, machine, proposals), `report` (logging of failed attempts), `stream`
//! (requests and responses), `outgoing` (request bodies), `connector` (routes to deployments), `host`
//! and `connection` (connections to one of them), `quick_ack` (acknowledging without delay),
//! `sockets` (how many connections there may be), `incoming` and `windows` (memory for what
//! endpoints send), [`tls`] (trusted certificates), [`discover`] (an endpoint's services).
//!
//! **Invariant:** this crate makes no decisions about an invocation: the Attempt state machine
//! does, and only what it proposes is durable.

mod connection;
mod connector;
pub mod discover;
mod host;
mod incoming;
mod limiter;
mod outgoing;
mod quick_ack;
mod report;
mod sockets;
mod stream;
mod supervisor;
mod task;
pub mod tls;
mod unsent;
mod windows;

pub use supervisor::{Invoker, Settings};

#[cfg(test)]
mod panic_tests;
#[cfg(test)]
mod tests;
