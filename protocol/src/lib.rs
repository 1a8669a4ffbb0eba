//! The wire protocol: the messages that a runtime and an SDK of the open Restate service protocol
//! exchange, and the identifiers that both sides print.
//!
//! Reading order: [`ids`] and [`target`] (naming), [`journal`] (what an invocation did and what it
//! waits for), [`failure`] (how it can fail), [`backoff`] (when it is retried), [`state_version`]
//! (which state a change is meant for), [`version`] and [`discovery`] (what an endpoint supports),
//! [`surface`] (the HTTP surface around it), [`wire`] (the encoding of all this as bytes).
//!
//! **Invariant:** this crate is pure. It has no IO, no clock, no randomness and no `async`, and the
//! protobuf messages do not leave [`wire`].

pub mod backoff;
pub mod discovery;
pub mod failure;
pub mod ids;
pub mod journal;
pub mod state_version;
pub mod surface;
pub mod target;
pub mod version;
pub mod wire;

pub use backoff::Backoff;
pub use failure::TerminalFailure;
pub use ids::{AwakeableId, DeploymentId, InvocationId, PartitionKey};
pub use state_version::StateVersion;
pub use target::{HandlerKind, ServiceKind, Target};
pub use version::ProtocolVersion;

#[cfg(test)]
mod tests;
