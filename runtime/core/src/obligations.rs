//! Obligations: effects that the rows still require, derived again after a crash and whenever an
//! edge's queue was full.
//!
//! Running invocations require a `StartAttempt`, outbox rows a `Send`, shared results a
//! `ResultDue`. Timers and expiries need no effect at all: their tables are read when their first
//! row is due.

use crate::{
    effect::Effect,
    invocation::attempt_input,
    model::{
        ids::{AttemptRef, Lsn, PartitionId},
        invocation::{Invocation, Status, StatusKind},
    },
    tables::{
        Tables,
        outbox::{self, Outgoing},
        walk::Budget,
    },
};

/// The attempts of running invocations, in order of creation, starting at `from`.
pub fn running(tables: &Tables<'_>, from: Lsn, limit: usize) -> Vec<AttemptRef> {
    tables
        .by_status(StatusKind::Running, from, limit)
        .into_iter()
        .filter_map(|lsn| match tables.invocation(lsn)?.status {
            Status::Running { attempt } => Some(AttemptRef { invocation: lsn, attempt }),
            Status::Waiting(_) | Status::Paused | Status::Completed { .. } => None,
        })
        .collect()
}

/// The results that are still being passed on to those that wait for them.
pub fn results(tables: &Tables<'_>) -> Vec<Lsn> {
    let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
    tables.walk_shared_results(None, all).collect()
}

/// The invocation of an attempt, if the attempt is still the current one.
pub fn invocation(tables: &Tables<'_>, attempt: AttemptRef) -> Option<Box<Invocation>> {
    let invocation = tables.invocation(attempt.invocation)?;
    match invocation.status {
        Status::Running { attempt: current } if current == attempt.attempt => Some(invocation),
        Status::Running { .. } | Status::Waiting(_) | Status::Paused | Status::Completed { .. } => {
            None
        }
    }
}

/// The effect that starts an attempt, if it is still the current one.
pub fn start(tables: &Tables<'_>, attempt: AttemptRef) -> Option<Effect> {
    invocation(tables, attempt).map(|invocation| start_of(tables, attempt.invocation, *invocation))
}

/// The effect that starts the current attempt of a running invocation.
pub fn start_of(tables: &Tables<'_>, lsn: Lsn, invocation: Invocation) -> Effect {
    let now = tables.meta().stamp.at();
    Effect::StartAttempt(Box::new(attempt_input(tables, lsn, invocation, now)))
}

/// Unacknowledged messages to one partition, with their sequence numbers, starting at `sequence`;
/// and where to continue, if there may be more. Can be empty even then.
pub fn messages_to(
    tables: &Tables<'_>,
    to: PartitionId,
    sequence: u64,
    budget: Budget,
) -> (Vec<(u64, Outgoing)>, Option<u64>) {
    let after = sequence.checked_sub(1).map(|before| outbox::row_key(to, before));
    let mut walk = tables.walk_outgoing(Some(to), after.as_deref(), budget);
    let messages = walk.by_ref().map(|(_, sequence, row)| (sequence, row)).collect();
    (messages, walk.rest_after().and_then(|key| outbox::sequence_after(&key)))
}
