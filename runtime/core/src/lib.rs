//! The two state machines that make the runtime's decisions: the Partition and the Attempt.
//!
//! A partition is the fold of [`Partition::apply`] over its log: records in, rows and effects out.
//! An attempt ([`attempt`]) is one conversation with an SDK: frames and notifications in, frames
//! and proposed events out.
//!
//! Reading order: [`model`] (the data types), [`time`], [`event`] (what the log may contain),
//! [`effect`] (what the shell may be told to do), [`tables`] (the rows), [`registry`] (which
//! deployment offers which handler), [`admission`] (how invocations are built), `shared_result`
//! (results that many wait for), `kept` (how much the audit keeps of a change), `invocation` (the lifecycle, one transition per file), `entries`
//! (what each journal command does, one command per file), `partition_messages` (messages between
//! partitions), `producer_dedup` (invocations that external producers submit by position), `apply`
//! (what each event does), `size` and [`brings`] (how much memory that takes), [`obligations`]
//! (work that the rows still require), [`invariants`] (what always holds for the rows),
//! [`attempt`]. Each builds on the ones before it.
//!
//! **Invariant:** this crate has no IO, no clock, no randomness, no threads and no `async`. `apply`
//! cannot fail: an invalid request is answered with an effect, and a broken invariant is a bug and
//! panics with the LSN.

pub mod admission;
mod apply;
pub mod attempt;
pub mod brings;
mod context;
pub mod effect;
mod entries;
pub mod event;
pub mod invariants;
mod invocation;
mod kept;
pub mod model;
mod object;
pub mod obligations;
mod outbox;
mod partition_messages;
mod producer_dedup;
pub mod registry;
mod retention;
mod shared_result;
mod size;
pub mod tables;
pub mod time;
mod timer;

pub use model::ids::{Lsn, Partition, PartitionId, REGISTRY_PARTITION};

#[cfg(test)]
mod tests;
