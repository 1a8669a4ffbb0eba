//! The words on the wire: what a runtime and an SDK of the open Restate service protocol say to
//! each other, and the identifiers that both sides print.
//!
//! Reading order: [`ids`] and [`target`] name things, [`journal`] says what an invocation did and
//! what it waits for, [`failure`] how it can end, [`backoff`] when it is tried again, [`version`] and [`discovery`] what an endpoint
//! offers, [`surface`] what HTTP around it says, [`wire`] how all of it looks as bytes.
//!
//! **Invariant:** this crate is pure. It has no IO, no clock, no randomness and no `async`, and the
//! protobuf messages do not leave [`wire`].

pub mod backoff;
pub mod discovery;
pub mod failure;
pub mod ids;
pub mod journal;
pub mod surface;
pub mod target;
pub mod version;
pub mod wire;

pub use backoff::Backoff;
pub use failure::TerminalFailure;
pub use ids::{AwakeableId, DeploymentId, InvocationId, PartitionKey};
pub use target::{HandlerKind, ServiceKind, Target};
pub use version::ProtocolVersion;

#[cfg(test)]
mod tests;
