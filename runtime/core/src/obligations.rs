//! Obligations: effects that the rows still require, derived again after a crash and whenever an
//! edge's queue was full.
//!
//! Running invocations require a `StartAttempt`, outbox rows a `Send`. Timers and expiries need no
//! effect at all: their tables are read when their first row is due.

use crate::{
    effect::Effect,
    invocation::attempt_input,
    model::{
        ids::{AttemptRef, Lsn, PartitionId},
        invocation::{Status, StatusKind},
    },
    tables::{Key, Tables, outbox::Outgoing, walk::Budget},
    time::Stamp,
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

/// The effect that starts an attempt, if it is still the current one.
pub fn start(tables: &Tables<'_>, attempt: AttemptRef) -> Option<Effect> {
    match tables.invocation(attempt.invocation)?.status {
        Status::Running { attempt: current } if current == attempt.attempt => {
            let now = tables.meta().stamp.at();
            let start = attempt_input(tables, attempt.invocation, now);
            Some(Effect::StartAttempt(Box::new(start)))
        }
        Status::Running { .. } | Status::Waiting(_) | Status::Paused | Status::Completed { .. } => {
            None
        }
    }
}

/// Unacknowledged messages, starting at the given receiver and sequence number, each with the stamp
/// that orders it among the messages of all partitions.
pub fn messages(
    tables: &Tables<'_>,
    from: (PartitionId, u64),
    limit: usize,
) -> Vec<(Stamp, Effect)> {
    tables.outgoing(from, limit).into_iter().map(|row| (row.2.stamp, send(row))).collect()
}

/// Unacknowledged messages to one partition, after a key; and the key to continue after, if any are
/// left.
pub fn messages_to(
    tables: &Tables<'_>,
    to: PartitionId,
    after: Option<&[u8]>,
    budget: Budget,
) -> (Vec<Effect>, Option<Key>) {
    let mut walk = tables.walk_outgoing(Some(to), after, budget);
    let messages = walk.by_ref().map(send).collect();
    (messages, walk.rest_after())
}

/// The effect that an outbox row requires.
fn send((to, sequence, outgoing): (PartitionId, u64, Outgoing)) -> Effect {
    let Outgoing { stamp, message } = outgoing;
    Effect::Send { to, sequence, stamp, message }
}
