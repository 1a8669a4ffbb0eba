//! Timers: things that happen at a given time.

use protocol::journal::CompletionId;
use serde::{Deserialize, Serialize};

use super::ids::Lsn;
use crate::time::Timestamp;

/// Identifies a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimerKey {
    /// When it fires.
    pub at: Timestamp,
    /// The invocation it belongs to, by the LSN that created it.
    pub invocation: Lsn,
    /// Which of the invocation's timers: a sleep's completion id, or 0 for a start or retry timer,
    /// of which an invocation has at most one at a time.
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
