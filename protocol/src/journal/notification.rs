//! Notifications: the entries that the runtime delivers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::CompletionId;
use crate::{TerminalFailure, wire};

/// Identifies a signal. Number 1 is the cancel signal; awakeables are numbered from 17.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SignalId {
    /// By number: built-in signals and awakeables.
    Index(u32),
    /// By a name that users chose.
    Name(String),
}

/// The built-in signal that cancels an invocation.
pub const CANCEL_SIGNAL: u32 = 1;

/// The first signal number that an awakeable may take; 2 to 15 are reserved, 16 is left unused.
pub const FIRST_AWAKEABLE_SIGNAL: u32 = 17;

/// What a notification refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NotificationId {
    /// A command of this journal, by its completion id.
    Completion(CompletionId),
    /// A signal from outside.
    Signal(SignalId),
}

/// The payload of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotificationResult {
    /// Completed without a value: a timer, an absent state key, a signal without payload.
    Void,
    /// A value.
    Value(Bytes),
    /// A terminal failure.
    Failure(TerminalFailure),
    /// The textual id of a callee.
    InvocationId(String),
    /// The keys of an object's state.
    StateKeys(Vec<Bytes>),
}

impl From<Result<Bytes, TerminalFailure>> for NotificationResult {
    fn from(result: Result<Bytes, TerminalFailure>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(failure) => Self::Failure(failure),
        }
    }
}

/// The kind of a notification. Together with the result, it determines the message type code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NotificationKind {
    /// Completes `GetLazyState`.
    GetLazyState,
    /// Completes `GetLazyStateKeys`.
    GetLazyStateKeys,
    /// Completes `GetPromise`.
    GetPromise,
    /// Completes `PeekPromise`.
    PeekPromise,
    /// Completes `CompletePromise`.
    CompletePromise,
    /// A timer fired.
    Sleep,
    /// A callee's id, for calls and one-way calls alike.
    CallInvocationId,
    /// A callee's result.
    Call,
    /// The result of a side effect.
    Run,
    /// Completes `AttachInvocation`.
    AttachInvocation,
    /// Completes `GetInvocationOutput`.
    GetInvocationOutput,
    /// A signal, which includes awakeables.
    Signal,
}

impl NotificationKind {
    /// Its name: that of the command that it completes, where there is only one.
    pub fn name(self) -> &'static str {
        wire::notification::type_of(self).short_name()
    }
}

/// One notification: every kind has the same shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Together with the result, determines the message type.
    pub kind: NotificationKind,
    /// What it refers to.
    pub id: NotificationId,
    /// Its payload.
    pub result: NotificationResult,
}
