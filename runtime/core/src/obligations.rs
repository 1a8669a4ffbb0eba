//! Effects that the rows still owe: derived again after a crash, and whenever an edge was full.
//!
//! Running invocations owe a `StartAttempt`, outbox rows a `Send`. Timers and expiries need no
//! effect at all: their tables are looked at when their first row is due.

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

/// Running invocations in order of creation, from `from` on: the names of their attempts.
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

/// The start of an attempt, if it is still the one that should be running.
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

/// Messages that no receiver has acknowledged, from the given one on, each with the stamp that
/// orders it among those of all partitions.
pub fn messages(
    tables: &Tables<'_>,
    from: (PartitionId, u64),
    limit: usize,
) -> Vec<(Stamp, Effect)> {
    tables.outgoing(from, limit).into_iter().map(|row| (row.2.stamp, send(row))).collect()
}

/// Messages to one partition that it has not acknowledged, from behind a key on; and the key to go on behind.
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

/// What a row of the outbox owes.
fn send((to, sequence, outgoing): (PartitionId, u64, Outgoing)) -> Effect {
    let Outgoing { stamp, message } = outgoing;
    Effect::Send { to, sequence, stamp, message }
}
