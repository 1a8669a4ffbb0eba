//! What happened to an invocation beside its journal, kept for people to read.

use protocol::{DeploymentId, InvocationId, journal::EntryIndex};
use serde::{Deserialize, Serialize};

use super::{invocation::AttemptFailure, operator::Operator};
use crate::time::Timestamp;

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it happened.
    pub at: Timestamp,
    /// The number of journal entries at that time.
    pub journal_len: EntryIndex,
    /// What happened.
    pub what: Happened,
}

/// What happened. The order of the variants is persisted: append only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// An attempt failed.
    AttemptFailed {
        /// When it started.
        started_at: Timestamp,
        /// Where it ran, if it had chosen.
        deployment: Option<DeploymentId>,
        /// Why, with its texts cut.
        failure: AttemptFailure,
    },
    /// It was paused.
    Paused {
        /// Who asked for it; `None` if its last failure did.
        by: Option<Operator>,
    },
    /// It was resumed.
    Resumed {
        /// Who asked for it.
        by: Operator,
        /// The deployment that it was moved to.
        onto: Option<DeploymentId>,
    },
    /// It was asked to end.
    CancelRequested {
        /// Who asked for it.
        by: Operator,
    },
    /// It was killed.
    Killed {
        /// Who asked for it.
        by: Operator,
    },
    /// It was restarted, after it had ended.
    RestartedAs {
        /// Who asked for it.
        by: Operator,
        /// The new invocation.
        id: InvocationId,
    },
    /// It began as the restart of another one.
    RestartedFrom {
        /// Who asked for it.
        by: Operator,
        /// The old invocation.
        id: InvocationId,
    },
    /// An edit of the state of its key was put off until it ends.
    StateEditQueued {
        /// Who asked for it.
        by: Operator,
    },
}
