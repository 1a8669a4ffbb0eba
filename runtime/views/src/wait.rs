//! Why an invocation does not make progress: its status says that it waits, and this says for what.
//! A new reason for holding back invocations gets a variant here, not a status of its own.

use protocol::{
    AwakeableId, InvocationId,
    journal::{
        CompletionId, NotificationId, NotificationKind,
        notification::{CANCEL_SIGNAL, FIRST_AWAKEABLE_SIGNAL, SignalId},
    },
};
use runtime_core::{
    Lsn,
    model::invocation::{Status, WaitingFor},
    tables::{Tables, completion::CompletionState},
    time::Timestamp,
};

use crate::{
    View,
    invocation::row_named,
    origin::{self, Origin},
};

const CANCELLATION: NotificationId = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));

/// What an invocation waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// Its scheduled start time.
    Start {
        /// The start time.
        at: Timestamp,
    },
    /// The time of its next attempt.
    Retry {
        /// The time of the attempt.
        at: Timestamp,
    },
    /// The lock of its object.
    Lock {
        /// The invocation that holds the lock.
        holder: InvocationId,
    },
    /// Results that its handler awaits. Lists those that have not arrived.
    Answers(Vec<Awaited>),
    /// An operator, because it is paused.
    Operator,
}

/// A result that a handler awaits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The number or name of its notification.
    pub id: NotificationId,
    /// The kind of operation that it is the result of.
    pub kind: NotificationKind,
    /// When it arrives, if known: the end of a sleep.
    pub at: Option<Timestamp>,
    /// What it is the result of. An awakeable is named by its id.
    pub of: Origin,
}

/// Reads what an invocation waits for. `None` if it runs, has ended, or does not exist.
#[derive(Debug, Clone, Copy)]
pub struct One(pub InvocationId);

impl View for One {
    type Output = Option<Wait>;

    fn read(self, tables: &Tables<'_>) -> Option<Wait> {
        let lsn = tables.invocation_lsn(self.0)?;
        let (row, _) = row_named(tables, lsn);
        let waiting = match &row.status {
            Status::Running { .. } | Status::Completed { .. } => return None,
            Status::Paused => return Some(Wait::Operator),
            Status::Waiting(waiting) => waiting,
        };
        Some(match waiting {
            WaitingFor::Start { at } => Wait::Start { at: *at },
            WaitingFor::Retry { at } => Wait::Retry { at: *at },
            WaitingFor::Object { .. } => {
                let object = tables.object(&row.target.service, &row.target.key);
                let Some(object) = object else {
                    panic!("{lsn:?} waits for the lock of {}, which is not held", row.target)
                };
                Wait::Lock { holder: row_named(tables, object.holder).0.id }
            }
            WaitingFor::Notification { awaiting, .. } => {
                let mut answers: Vec<Awaited> = Vec::new();
                for id in awaiting.all_leaves() {
                    if !answers.iter().any(|known| known.id == *id) {
                        answers.extend(awaited(tables, lsn, id));
                    }
                }
                // Handlers also wait for their cancellation, which says nothing about this wait.
                if answers.len() > 1 {
                    answers.retain(|it| it.id != CANCELLATION);
                }
                let completions: Vec<_> = answers.iter().filter_map(Awaited::completion).collect();
                let mut origins = origin::of(tables, lsn, row.journal_len, &completions, None);
                for answer in &mut answers {
                    answer.of = match &answer.id {
                        NotificationId::Completion(id) => origins.remove(id).unwrap_or_default(),
                        NotificationId::Signal(signal) => of_signal(self.0, signal),
                    };
                }
                Wait::Answers(answers)
            }
        })
    }
}

impl Awaited {
    /// Its number, if it is the result of a command.
    pub fn completion(&self) -> Option<CompletionId> {
        match &self.id {
            NotificationId::Completion(id) => Some(*id),
            NotificationId::Signal(_) => None,
        }
    }
}

/// What a signal of an invocation is called outside of it.
fn of_signal(invocation: InvocationId, signal: &SignalId) -> Origin {
    let name = match signal {
        SignalId::Index(signal) if *signal >= FIRST_AWAKEABLE_SIGNAL => {
            Some(AwakeableId { invocation, signal: *signal }.to_string())
        }
        SignalId::Index(CANCEL_SIGNAL) => Some("cancellation".to_owned()),
        SignalId::Index(_) => None,
        SignalId::Name(name) => Some(name.clone()),
    };
    Origin { name, invocation: None }
}

/// Returns `None` if the result has already arrived.
fn awaited(tables: &Tables<'_>, lsn: Lsn, id: &NotificationId) -> Option<Awaited> {
    let (kind, at) = match id {
        NotificationId::Completion(completion) => match tables.completion(lsn, *completion)? {
            CompletionState::Pending { kind, timer } => (kind, timer),
            CompletionState::Done(_) => return None,
        },
        // There may be any number of signals: that one has arrived does not mean that none is
        // awaited.
        NotificationId::Signal(_) => (NotificationKind::Signal, None),
    };
    Some(Awaited { id: id.clone(), kind, at, of: Origin::default() })
}
