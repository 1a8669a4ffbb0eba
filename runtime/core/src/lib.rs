//! The two machines of the runtime that decide: the Partition and the Attempt.
//!
//! A partition is the fold of [`Partition::apply`] over its log: records in, rows and effects out.
//! An attempt ([`attempt`]) is one conversation with an SDK: frames and notifications in, frames and
//! events to propose out.
//!
//! Reading order: [`model`] (the nouns), [`time`], [`event`] (what may be in the log), [`effect`] (what the
//! shell may be told to do), [`tables`] (what is remembered), [`registry`] (who offers what),
//! [`admission`] (how invocations are made), `invocation` (the lifecycle, one transition a file),
//! `entries` (what each journal command does, one command a file), `peers` (what partitions tell each
//! other), `producers` (what those outside hand in by number), `apply` (what each event does), [`obligations`] (what the rows still owe the world),
//! [`invariants`] (what always holds of them), [`attempt`]. Each uses those before it.
//!
//! **Invariant:** this crate does no IO, has no clock, no randomness, no threads and no `async`.
//! `apply` cannot fail: a request that makes no sense is answered with an effect, and a broken
//! invariant is a bug and panics with the LSN.

pub mod admission;
mod apply;
pub mod attempt;
mod context;
pub mod effect;
mod entries;
pub mod event;
pub mod invariants;
mod invocation;
pub mod model;
mod object;
pub mod obligations;
mod outbox;
mod peers;
mod producers;
pub mod registry;
mod retention;
mod size;
pub mod tables;
pub mod time;
mod timer;

pub use model::ids::{Lsn, Partition, PartitionId, REGISTRY_PARTITION};

#[cfg(test)]
mod tests;
