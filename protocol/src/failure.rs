//! How an invocation ends when it does not return a value.

use serde::{Deserialize, Serialize};

/// The final, never retried, failure of an invocation, a call or a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TerminalFailure {
    /// HTTP-like status: 500 unless the user chose another.
    pub code: u32,
    /// What went wrong, for people.
    pub message: String,
    /// Free key/value pairs of the user, in the order given. Absent on the wire below V6.
    pub metadata: Vec<(String, String)>,
}

impl TerminalFailure {
    /// A failure without metadata.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), metadata: Vec::new() }
    }

    /// An invocation that was cancelled before it started.
    pub fn cancelled() -> Self {
        Self::new(409, "canceled")
    }

    /// An invocation that an operator killed.
    pub fn killed() -> Self {
        Self::new(409, "killed")
    }

    /// The invocation asked for does not exist, or its result is no longer kept.
    pub fn not_found() -> Self {
        Self::new(404, "invocation not found")
    }

    /// A second `run` of the same workflow key.
    pub fn workflow_already_invoked() -> Self {
        Self::new(409, "the workflow method was already invoked")
    }

    /// A second completion of a workflow promise.
    pub fn promise_already_completed() -> Self {
        Self::new(409, "the promise was already completed")
    }
}
