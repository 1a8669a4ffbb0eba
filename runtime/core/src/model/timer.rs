//! What is to happen at a time.

use protocol::journal::CompletionId;
use serde::{Deserialize, Serialize};

use super::ids::Lsn;
use crate::time::Timestamp;

/// Names a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimerKey {
    /// When it fires.
    pub at: Timestamp,
    /// The invocation it is for, by its lsn of creation.
    pub invocation: Lsn,
    /// Which of the invocation's timers: a sleep's completion id; 0 for those of the invocation
    /// itself, which has at most one at a time.
    pub completion: CompletionId,
}

/// What a timer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timer {
    /// A delayed invocation starts.
    Start,
    /// A failed attempt is tried again.
    Retry,
    /// A sleep is over.
    Sleep,
}
