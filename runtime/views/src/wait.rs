//! Why an invocation does not get on: its status says that it waits, and this says for what. What may come
//! to hold invocations back gets a variant here, and no status of its own.

use protocol::{
    InvocationId,
    journal::{NotificationId, NotificationKind},
};
use runtime_core::{
    Lsn,
    model::invocation::{Status, WaitingFor},
    tables::{Tables, completion::CompletionState},
    time::Timestamp,
};

use crate::{View, invocation::row_named};

/// What an invocation waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The time for which it was asked for.
    Start {
        /// When that is.
        at: Timestamp,
    },
    /// The time of its next attempt.
    Retry {
        /// When that is.
        at: Timestamp,
    },
    /// The lock of its object.
    Lock {
        /// Who has it.
        holder: InvocationId,
    },
    /// Something that its handler has asked for: what of it has not come.
    Answers(Vec<Awaited>),
    /// An operator: it is paused.
    Operator,
}

/// Something that a handler waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Under which number or name it comes.
    pub id: NotificationId,
    /// What it is an answer to.
    pub kind: NotificationKind,
    /// When it comes, if that is known: the end of a sleep.
    pub at: Option<Timestamp>,
}

/// Looks for what one invocation waits for; `None` when it runs, has ended, or is not known.
#[derive(Debug, Clone, Copy)]
pub struct One(pub InvocationId);

impl View for One {
    type Seen = Option<Wait>;

    fn see(self, tables: &Tables<'_>) -> Option<Wait> {
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
                    panic!("{lsn:?} waits for the lock of {}, which nobody has", row.target)
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
                Wait::Answers(answers)
            }
        })
    }
}

/// `None` for what has come.
fn awaited(tables: &Tables<'_>, lsn: Lsn, id: &NotificationId) -> Option<Awaited> {
    let (kind, at) = match id {
        NotificationId::Completion(completion) => match tables.completion(lsn, *completion)? {
            CompletionState::Pending { kind, timer } => (kind, timer),
            CompletionState::Done(_) => return None,
        },
        // Of those there may be any number: that one has come does not mean that none is waited for.
        NotificationId::Signal(_) => (NotificationKind::Signal, None),
    };
    Some(Awaited { id: id.clone(), kind, at })
}
