//! What one partition knows of a subject, read in one turn.

use std::sync::Arc;

use protocol::{InvocationId, Target, ids::Derivation};
use runtime_core::{
    Lsn, effect,
    model::{
        ids::AttemptRef,
        invocation::{
            AttemptFailure, Completion, Invocation as Row, Pin, Status, StatusKind, WaitingFor,
        },
    },
    tables::{
        Tables,
        object::Object,
        walk::{Budget, Within},
    },
    time::Timestamp,
};

use super::{
    Attempt, Subject,
    link::TEXT_BYTES_MAX,
    waits::{self, Waits},
};
use crate::{View, invocation::row_named, text};

/// How many entries of a queue are counted.
const COUNTED_MAX: usize = 1000;
/// An invocation that has failed so often in a row is failing, even while its next attempt runs.
pub(super) const FAILING_MIN: u32 = 2;
/// How many bytes of edits that wait are read to count them.
const EDIT_BYTES_MAX: usize = 1 << 20;

/// What a partition knows of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// There is no such invocation.
    Absent,
    /// It is an invocation.
    Invocation(Box<Invocation>),
    /// It is a key.
    Key(Key),
}

/// An invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// What it runs.
    pub target: Target,
    /// Where it runs, once that is decided.
    pub pin: Option<Pin>,
    /// Its status.
    pub status: StatusKind,
    /// Since when it has that status.
    pub since: Timestamp,
    /// Attempts that have failed since it last made progress.
    pub failures: u32,
    /// Attempts that its retry policy has counted, and not forgiven since.
    pub policy_attempts: u32,
    /// Whether the last attempt was one whose request could not be sent.
    pub is_unsent: bool,
    /// Why the last attempt failed, with its message cut and without its stack trace.
    pub failure: Option<AttemptFailure>,
    /// Whether it has been cancelled, and has not done anything since.
    pub is_cancelled: bool,
    /// What it waits for.
    pub state: State,
}

/// What an invocation waits for, by its status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum State {
    /// Its start time.
    Scheduled { at: Timestamp },
    /// The lock of its object, behind so many others.
    Queued { holder: InvocationId, ahead: Count },
    /// An attempt is running. What its handler has asked for and not got; whether it will be
    /// paused once the attempt ends.
    Running { attempt: Attempt, open: Waits, is_pausing: bool },
    /// Its next attempt.
    BackingOff { at: Timestamp },
    /// Results.
    Suspended(Waits),
    /// An operator. Who has paused it, and why they say; `None` if a failure has.
    Paused { by: Option<(String, Option<String>)> },
    /// Nothing. The failure that it ended with.
    Completed { failure: Option<String> },
}

/// A key of a virtual object or workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The invocation that holds it: the one with the lock, or the run of the workflow.
    pub holder: Option<InvocationId>,
    /// Whether that is the run of a workflow.
    pub is_run: bool,
    /// How many invocations wait for the lock.
    pub queued: u32,
    /// How many edits of state wait, and since when.
    pub edits: Count,
    /// Since when the first of them waits.
    pub first_edit_at: Option<Timestamp>,
}

/// A number of things that are counted up to a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// So many.
    pub number: usize,
    /// Whether there may be more.
    pub is_cut: bool,
}

/// Reads what a partition knows of a subject.
#[derive(Debug, Clone)]
pub struct Of {
    /// The subject.
    pub subject: Subject,
    /// How the ids of named invocations are derived.
    pub derivation: Derivation,
}

impl View for Of {
    type Output = Facts;

    fn read(self, tables: &Tables<'_>) -> Facts {
        match self.subject {
            Subject::Invocation(id) => match named(tables, id) {
                Some((lsn, row)) => {
                    Facts::Invocation(Box::new(invocation(tables, self.derivation, lsn, *row)))
                }
                None => Facts::Absent,
            },
            Subject::Key { service, key } => {
                Facts::Key(of_key(tables, self.derivation, service, key))
            }
        }
    }
}

impl Facts {
    /// The attempt that its rows call running.
    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Invocation(invocation) => match &invocation.state {
                State::Running { attempt, .. } => Some(attempt),
                State::Scheduled { .. }
                | State::Queued { .. }
                | State::BackingOff { .. }
                | State::Suspended(_)
                | State::Paused { .. }
                | State::Completed { .. } => None,
            },
            Self::Absent | Self::Key(_) => None,
        }
    }
}

/// An invocation, unless its retention is over.
fn named(tables: &Tables<'_>, id: InvocationId) -> Option<(Lsn, Box<Row>)> {
    let lsn = tables.invocation_lsn(id)?;
    let (row, _) = row_named(tables, lsn);
    (!row.status.is_expired(tables.meta().stamp.at())).then_some((lsn, row))
}

fn invocation(tables: &Tables<'_>, derivation: Derivation, lsn: Lsn, row: Row) -> Invocation {
    let state = match &row.status {
        Status::Waiting(WaitingFor::Start { at }) => State::Scheduled { at: *at },
        Status::Waiting(WaitingFor::Retry { at }) => State::BackingOff { at: *at },
        Status::Waiting(WaitingFor::Object { place }) => queued(tables, lsn, &row.target, *place),
        Status::Waiting(WaitingFor::Notification { awaiting, .. }) => {
            State::Suspended(waits::suspended(tables, derivation, (lsn, &row), awaiting))
        }
        Status::Running { attempt } => State::Running {
            attempt: attempt_of(&row, AttemptRef { invocation: lsn, attempt: *attempt }),
            open: waits::open(tables, derivation, (lsn, &row)),
            is_pausing: row.pause.is_some(),
        },
        Status::Paused => State::Paused { by: paused_by(&row) },
        Status::Completed { completion, .. } => {
            State::Completed { failure: failure_of(completion) }
        }
    };
    Invocation {
        pin: row.pin,
        status: row.status.kind(),
        since: row.modified_at,
        failures: effect::failures(row.retry_count, row.policy_attempts, row.unsent),
        policy_attempts: row.policy_attempts,
        is_unsent: row.unsent > 0,
        is_cancelled: row.cancel_pending,
        failure: row.last_failure.map(|failure| shown(*failure)),
        state,
        target: row.target,
    }
}

/// The attempt of a running invocation.
pub(super) fn attempt_of(row: &Row, name: AttemptRef) -> Attempt {
    Attempt {
        name,
        service: row.target.service.clone(),
        pin: row.pin,
        journal_bytes: usize::try_from(row.journal_bytes).unwrap_or(usize::MAX),
    }
}

/// # Panics
/// Panics if nobody holds the lock: the invocation would never get it.
fn queued(tables: &Tables<'_>, lsn: Lsn, target: &Target, place: Lsn) -> State {
    let Some(object) = tables.object(&target.service, &target.key) else {
        panic!("{lsn:?} waits for the lock of {target}, which is not held")
    };
    let within = Within::Key { service: target.service.clone(), key: target.key.clone() };
    let budget = Budget { rows_max: COUNTED_MAX, bytes_max: usize::MAX };
    let mut ahead = Count { number: 0, is_cut: true };
    for entry in tables.walk_inbox(&within, None, budget) {
        if entry.place >= place {
            ahead.is_cut = false;
            break;
        }
        ahead.number += 1;
    }
    State::Queued { holder: holder(tables, object), ahead }
}

fn holder(tables: &Tables<'_>, object: Object) -> InvocationId {
    row_named(tables, object.holder).0.id
}

fn paused_by(row: &Row) -> Option<(String, Option<String>)> {
    let operator = row.pause.as_ref()?.operator.as_ref()?;
    let cut = |it: &String| text::cut(it, TEXT_BYTES_MAX);
    Some((cut(&operator.name), operator.reason.as_ref().map(cut)))
}

fn failure_of(completion: &Arc<Completion>) -> Option<String> {
    let failure = completion.result.as_ref().err()?;
    Some(text::cut(&failure.to_string(), TEXT_BYTES_MAX))
}

fn shown(failure: AttemptFailure) -> AttemptFailure {
    AttemptFailure {
        message: text::cut(&failure.message, TEXT_BYTES_MAX),
        stacktrace: String::new(),
        ..failure
    }
}

fn of_key(tables: &Tables<'_>, derivation: Derivation, service: String, key: String) -> Key {
    let object = tables.object(&service, &key);
    let run = named(tables, derivation.workflow(None, &service, &key));
    let run = run.filter(|(_, row)| row.status.completion().is_none()).map(|(_, row)| row.id);
    let within = Within::Key { service, key };
    let budget = Budget { rows_max: COUNTED_MAX, bytes_max: EDIT_BYTES_MAX };
    let mut walk = tables.walk_waiting_edits(&within, None, budget);
    let edits: Vec<Timestamp> = walk.by_ref().map(|(_, waiting)| waiting.asked_at).collect();
    Key {
        holder: object.map(|object| holder(tables, object)).or(run),
        is_run: object.is_none() && run.is_some(),
        queued: object.map_or(0, |object| object.queued),
        edits: Count { number: edits.len(), is_cut: walk.rest_after().is_some() },
        first_edit_at: edits.first().copied(),
    }
}
