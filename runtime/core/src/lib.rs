//! The two machines of the runtime that decide: the Partition and the Attempt.
//!
//! A partition is the fold of [`Partition::apply`] over its log: records in, rows and effects out.
//! An attempt ([`attempt`]) is one conversation with an SDK: frames and notifications in, frames and
//! events to propose out.
//!
//! Reading order: [`time`], [`event`] (what may be in the log), [`effect`] (what the shell may be
//! told to do), [`tables`] (what is remembered), [`registry`] (who offers what), [`admission`] (how invocations are
//! made), `invocation` (the lifecycle, one transition a file), `entries` (what each journal command does, one command a file), [`obligations`] (what the
//! rows still owe the world), [`invariants`] (what always holds of them), [`attempt`].
//!
//! **Invariant:** this crate does no IO, has no clock, no randomness, no threads and no `async`.
//! `apply` cannot fail: a request that makes no sense is answered with an effect, and a broken
//! invariant is a bug and panics with the LSN.

pub mod admission;
pub mod attempt;
mod context;
pub mod effect;
mod entries;
pub mod event;
pub mod invariants;
mod invocation;
mod object;
pub mod obligations;
mod outbox;
pub mod registry;
mod retention;
mod size;
pub mod tables;
pub mod time;
mod timer;

use protocol::{PartitionKey, ids::Derivation};
use serde::{Deserialize, Serialize};

use crate::{
    context::Context,
    effect::Effect,
    event::{Event, Record},
    tables::Tables,
};

/// Number of a record in its partition's log: contiguous from 1; 0 means "nothing yet".
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Lsn(pub u64);

/// Number of a partition, from 0.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PartitionId(pub u16);

/// The registry's rows live on this partition.
pub const REGISTRY_PARTITION: PartitionId = PartitionId(0);

/// The partition machine: what is fixed for it. Everything else is in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// This partition.
    pub id: PartitionId,
    /// How many there are; fixed when the data directory is created.
    pub count: u16,
    /// How ids of named invocations follow from their names; fixed with it.
    pub derivation: Derivation,
}

impl Partition {
    /// The partition that owns `key`: the key space is cut into `count` equal ranges.
    pub fn owner(count: u16, key: PartitionKey) -> PartitionId {
        let owner = (u128::from(key.0) * u128::from(count)) >> 64;
        // INVARIANT: a u64 times `count`, over 2^64, is below `count`.
        PartitionId(u16::try_from(owner).unwrap_or(0))
    }

    /// Applies one record: the only place where the kind of event is branched on.
    ///
    /// # Panics
    /// When a record is applied twice or out of order, and when an invariant of the rows is broken.
    pub fn apply(&self, tables: &mut Tables<'_>, record: &Record, effects: &mut Vec<Effect>) {
        tables.advance(record.lsn, record.stamp);
        let mut cx = Context::new(*self, tables, record, effects);
        match &record.event {
            Event::Invoked(invoke) => invocation::invoke::apply(&mut cx, invoke),
            Event::DeploymentPinned { attempt, pin } => {
                invocation::pin::apply(&mut cx, *attempt, *pin);
            }
            Event::CommandProposed { attempt, command, callee } => {
                invocation::journal::apply(&mut cx, *attempt, command, callee.as_deref(), None);
            }
            Event::TimedCommandProposed { attempt, command, callee, delay_ms } => {
                let (callee, due) = (callee.as_deref(), Some(cx.at.after_ms(*delay_ms)));
                invocation::journal::apply(&mut cx, *attempt, command, callee, due);
            }
            Event::RunProposed { attempt, completion, result } => {
                invocation::journal::run_proposed(&mut cx, *attempt, *completion, result);
            }
            Event::AttemptSuspended { attempt, awaiting, seen } => {
                invocation::suspend::apply(&mut cx, *attempt, awaiting, *seen);
            }
            Event::AttemptEnded { attempt } => invocation::complete::ended(&mut cx, *attempt),
            Event::AttemptFailed { attempt, failure, next } => {
                invocation::fail::apply(&mut cx, *attempt, failure, next);
            }
            Event::TimerFired { timer } => timer::fired(&mut cx, timer),
            Event::SignalReceived { target, signal, result } => {
                invocation::signal::apply(&mut cx, *target, signal, result);
            }
            Event::SignalRequested { request, target, signal, result } => {
                invocation::signal::requested(&mut cx, *request, *target, signal, result);
            }
            Event::CancelRequested { request, target } => {
                invocation::cancel::requested(&mut cx, *request, *target);
            }
            Event::KillRequested { request, target } => {
                invocation::kill::requested(&mut cx, *request, *target);
            }
            Event::MessageReceived { from, sequence, message } => {
                outbox::received(&mut cx, *from, *sequence, message);
            }
            Event::MessagesAcknowledged { by, sequence } => {
                outbox::acknowledged(&mut cx, *by, *sequence);
            }
            Event::RetentionDue { budget_bytes, limit } => {
                retention::apply(&mut cx, *budget_bytes, *limit);
            }
            Event::CleanupDue { budget_bytes, limit } => {
                retention::cleanup(&mut cx, *budget_bytes, *limit);
            }
            Event::DeploymentRegistered { request, deployment } => {
                registry::registered(&mut cx, *request, deployment);
            }
            Event::DeploymentOffered { request, deployment, replace, allow_breaking } => {
                registry::offered(&mut cx, *request, deployment, *replace, *allow_breaking);
            }
            Event::PurgeRequested { request, target } => {
                invocation::purge::requested(&mut cx, *request, *target);
            }
            Event::DeploymentRemoved { request, deployment } => {
                registry::removed(&mut cx, *request, *deployment);
            }
        }
        outbox::deliver_local(&mut cx);
    }
}

#[cfg(test)]
mod tests;
