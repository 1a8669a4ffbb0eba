//! Key: lsn of creation. Row: everything about one invocation but its journal.
//!
//! Beside it, by invocation id: that lsn. A random id is time-ordered and a creation lsn is too, so
//! both tables grow at their right edge.

use std::sync::Arc;

use protocol::{
    HandlerKind, InvocationId, ServiceKind, Target,
    journal::{Awaiting, EntryIndex},
};
use serde::{Deserialize, Serialize};

use super::{Row, Table, Tables, row::expect_row};
use crate::{
    Lsn,
    effect::Completion,
    event::{AttemptFailure, Pin, Retention, Source},
    time::Timestamp,
};

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Its id.
    pub id: InvocationId,
    /// The handler it runs.
    pub target: Target,
    /// What kind of service that belongs to.
    pub service_kind: ServiceKind,
    /// What the handler may do.
    pub handler_kind: HandlerKind,
    /// Who asked for it.
    pub source: Source,
    /// Where it is in its life.
    pub status: Status,
    /// Deployment and protocol, once an attempt has chosen.
    pub pin: Option<Pin>,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
    /// Flow-control scope.
    pub scope: Option<String>,
    /// Limit key within the scope.
    pub limit_key: Option<String>,
    /// How long it is kept once it is finished.
    pub retention: Retention,
    /// Seeds the SDK's random numbers.
    pub random_seed: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub modified_at: Timestamp,
    /// When it was to start, if it was delayed.
    pub start_at: Option<Timestamp>,
    /// When its first attempt started.
    pub running_at: Option<Timestamp>,
    /// Entries in its journal.
    pub journal_len: EntryIndex,
    /// Commands among them.
    pub commands: u32,
    /// Bytes of its entries.
    pub journal_bytes: u64,
    /// When the last entry was stored.
    pub last_entry_at: Timestamp,
    /// Where its Output command stands, once there is one.
    pub output: Option<EntryIndex>,
    /// Whether it has rows that tell completions or signals.
    pub has_notifications: bool,
    /// Whether others than its caller wait for its result.
    pub has_waiters: bool,
    /// Attempts that got to the handler and failed since a command was last stored.
    pub retry_count: u32,
    /// Attempts that the retry policy has counted since the invocation last made room.
    pub policy_attempts: u32,
    /// Why the last attempt broke off; forgotten when a later one gets further.
    pub last_failure: Option<Box<AttemptFailure>>,
    /// Attempts in a row whose request was not even sent and that the retry policy has not counted.
    pub unsent: u32,
    /// Whether a cancellation is stored that no attempt has got past: none has stored anything since,
    /// or waits with it behind.
    pub cancel_pending: bool,
}

/// Where an invocation is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Status {
    /// No attempt is under way, until what it waits for arrives.
    Waiting(WaitingFor),
    /// An attempt, named by its lsn, is under way.
    Running { attempt: Lsn },
    /// Out of attempts, or told to stop: an operator must decide.
    Paused,
    /// Finished.
    Completed { at: Timestamp, completion: Arc<Completion> },
}

/// The one thing that an invocation without an attempt waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum WaitingFor {
    /// Its start time.
    Start { at: Timestamp },
    /// The lock of its object; `place` is its key in the inbox.
    Object { place: Lsn },
    /// The time of its next try.
    Retry { at: Timestamp },
    /// Entries of its journal, later than the first `seen`.
    Notification { awaiting: Awaiting, seen: EntryIndex },
}

/// The status in one byte, as the index has it. Persisted: never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum StatusKind {
    /// Waits for its start time.
    Scheduled = 1,
    /// Waits for the lock of its object.
    Inboxed = 2,
    /// An attempt is under way.
    Running = 3,
    /// Waits for its next try.
    BackingOff = 4,
    /// Waits for entries of its journal.
    Suspended = 5,
    /// An operator must decide.
    Paused = 6,
    /// Finished.
    Completed = 7,
}

impl Status {
    /// Whether it has ended and its retention is over by `now`: then it counts as absent, removed or not.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        match self {
            Self::Completed { completion, .. } => {
                completion.expires_at.is_none_or(|expires_at| expires_at <= now)
            }
            Self::Waiting(_) | Self::Running { .. } | Self::Paused => false,
        }
    }

    /// The status in one byte.
    pub fn kind(&self) -> StatusKind {
        match self {
            Self::Waiting(WaitingFor::Start { .. }) => StatusKind::Scheduled,
            Self::Waiting(WaitingFor::Object { .. }) => StatusKind::Inboxed,
            Self::Waiting(WaitingFor::Retry { .. }) => StatusKind::BackingOff,
            Self::Waiting(WaitingFor::Notification { .. }) => StatusKind::Suspended,
            Self::Running { .. } => StatusKind::Running,
            Self::Paused => StatusKind::Paused,
            Self::Completed { .. } => StatusKind::Completed,
        }
    }
}

impl Tables<'_> {
    /// The invocation created by the record at `lsn`.
    pub fn invocation(&self, lsn: Lsn) -> Option<Box<Invocation>> {
        self.get(&Table::Invocation.key().lsn(lsn).done()).map(|row| expect_row!(row, Invocation))
    }

    /// The lsn of creation of the invocation with this id.
    pub fn invocation_lsn(&self, id: InvocationId) -> Option<Lsn> {
        self.get(&id_key(id)).map(|row| expect_row!(row, Lsn))
    }

    pub(crate) fn invocation_mut(&mut self, lsn: Lsn) -> Option<&mut Invocation> {
        let row = self.get_mut(Table::Invocation.key().lsn(lsn).done())?;
        Some(expect_row!(row, Invocation))
    }

    pub(crate) fn create_invocation(&mut self, lsn: Lsn, invocation: Invocation) {
        self.put_absent(id_key(invocation.id), Row::Lsn(lsn));
        let key = Table::Invocation.key().lsn(lsn).done();
        self.create(key, Row::Invocation(Box::new(invocation)));
    }

    pub(crate) fn delete_invocation(&mut self, lsn: Lsn, id: InvocationId) {
        self.delete(id_key(id));
        self.delete(Table::Invocation.key().lsn(lsn).done());
    }
}

fn id_key(id: InvocationId) -> super::Key {
    Table::InvocationId.key().u128(id.uuid).u64(id.partition_key.0).done()
}
