//! The shell of the Attempt machine: HTTP out to deployments.
//!
//! Reading order: `supervisor` (which attempts there are), `places` (how many there may be), `task`
//! (one attempt: bytes, machine, proposals), `report` (what is said of those that fail), `stream` (what a
//! request and a response look like), `client` (ways to deployments), `host` and `connection` (to one), `sockets` (how many),
//! `incoming` and `windows` (memory for what they say), [`tls`] (whom we trust), [`discover`] (asking an endpoint what it offers).
//!
//! **Invariant:** this crate decides nothing about an invocation: that is the Attempt machine's
//! business, and what lasts is what it proposes.

mod client;
mod connection;
pub mod discover;
mod host;
mod incoming;
mod outgoing;
mod places;
mod quick_ack;
mod report;
mod sockets;
mod stream;
mod supervisor;
mod task;
pub mod tls;
mod windows;

pub use supervisor::{Invoker, Settings};

#[cfg(test)]
mod panic_tests;
#[cfg(test)]
mod tests;
