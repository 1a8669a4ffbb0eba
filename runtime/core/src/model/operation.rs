//! What operators ask of invocations, and what the audit keeps of it.

use protocol::{DeploymentId, InvocationId, Target, journal::EntryIndex};
use serde::{Deserialize, Serialize};

use super::{
    invocation::{Pin, StatusKind},
    operator::Operator,
};
use crate::time::Timestamp;

/// What an operator asks of an invocation. The order of the variants is persisted: append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Ask it to end.
    Cancel,
    /// End it and everything that it has started.
    Kill,
    /// Remove it, once it has ended.
    Purge,
    /// Remove its journal and keep its result, once it has ended.
    PurgeJournal,
    /// Run none of its code until it is resumed.
    Pause,
    /// Run it now, whatever it waits for.
    Resume {
        /// From now on, run it there, in the protocol version that it has begun with.
        onto: Option<DeploymentId>,
    },
    /// Run it again as a new invocation, once it has ended.
    RestartAsNew(Restart),
}

/// How an invocation is run again. Whoever asks has chosen what is random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// The id of the new invocation, in the partition of the old one.
    pub id: InvocationId,
    /// The last entry of the prefix of the journal that the new one begins with; 0 is its input.
    pub from: EntryIndex,
    /// Where it runs. `None` leaves that to its first attempt.
    pub pin: Option<Pin>,
    /// Seeds its random numbers, unless the prefix has consumed some of the old ones.
    pub random_seed: u64,
}

/// What has become of an operation. The order of the variants is persisted: append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done, or was so already.
    Done,
    /// The invocation has been told, and sees to it.
    Requested,
    /// There is no such invocation.
    NotFound,
    /// It cannot be done to an invocation in this status.
    Refused(StatusKind),
    /// It cannot be moved to another deployment: no attempt has chosen a protocol version yet.
    NotPinned,
    /// It runs again, as this one.
    Restarted(InvocationId),
    /// It has ended, but cannot be restarted like that.
    NotRestartable(NotRestartable),
}

/// Why an invocation that has ended cannot be restarted. The order of the variants is persisted:
/// append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotRestartable {
    /// It belongs to a workflow, which runs once.
    Workflow,
    /// Its journal has been removed, and so has its input.
    NoJournal,
    /// Its journal has no such entry.
    NoSuchEntry {
        /// How many it has.
        entries: EntryIndex,
    },
    /// A command of the prefix never got its result.
    Uncompleted {
        /// The first such command, by its index in the journal.
        command: EntryIndex,
    },
    /// Its protocol version makes random numbers from the invocation's id, so that the handler
    /// would not repeat its prefix.
    OldProtocol,
    /// It began in another protocol version than the one that was asked for, or the new id is taken.
    Mistaken,
    /// The prefix has too many entries or bytes to be copied.
    TooLarge,
}

/// An operation, as the audit keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audited {
    /// When it was applied.
    pub at: Timestamp,
    /// Who asked for it.
    pub operator: Operator,
    /// What was asked for.
    pub operation: Operation,
    /// Of which invocation.
    pub invocation: InvocationId,
    /// The handler that it ran, if it existed.
    pub target: Option<Target>,
    /// Its status before, if it existed.
    pub status: Option<StatusKind>,
    /// What became of it.
    pub outcome: Outcome,
}
