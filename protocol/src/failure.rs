//! How an invocation ends when it does not return a value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Terminal failure of an invocation, call or run; never retried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TerminalFailure {
    /// HTTP-like status; 500 unless user code chose another.
    pub code: u32,
    /// Human-readable reason.
    pub message: String,
    /// User-defined key/value pairs, in the order given. Not on the wire below V6.
    pub metadata: Vec<(String, String)>,
}

impl fmt::Display for TerminalFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.code, &self.message)
    }
}

/// Shows a failure, terminal or not, as `[code] message`.
///
/// # Errors
/// Returns an error if the formatter does.
pub fn show(f: &mut fmt::Formatter<'_>, code: u32, message: &str) -> fmt::Result {
    write!(f, "[{code}] {message}")
}

impl TerminalFailure {
    /// A failure without metadata.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), metadata: Vec::new() }
    }

    /// For an invocation that was cancelled before it started.
    pub fn cancelled() -> Self {
        Self::new(409, "canceled")
    }

    /// For an invocation that an operator killed.
    pub fn killed() -> Self {
        Self::new(409, "killed")
    }

    /// For a reference to an invocation that does not exist, or whose result is no longer retained.
    pub fn not_found() -> Self {
        Self::new(404, "invocation not found")
    }

    /// For a second `run` of the same workflow key.
    pub fn workflow_already_invoked() -> Self {
        Self::new(409, "the workflow method was already invoked")
    }

    /// For a second completion of a workflow promise.
    pub fn promise_already_completed() -> Self {
        Self::new(409, "the promise was already completed")
    }
}
