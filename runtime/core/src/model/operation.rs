//! What operators ask of invocations, and what the audit keeps of it.

use protocol::{DeploymentId, InvocationId, Target};
use serde::{Deserialize, Serialize};

use super::{invocation::StatusKind, operator::Operator};
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
}

/// What has become of an operation.
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
