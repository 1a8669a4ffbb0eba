//! Notifications: the entries that the runtime delivers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::CompletionId;
use crate::TerminalFailure;

/// Name of a signal: awakeables are numbered from 17, 1 is the cancel signal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SignalId {
    /// Numbered: built-in signals and awakeables.
    Index(u32),
    /// Named by users.
    Name(String),
}

/// The built-in signal that cancels an invocation.
pub const CANCEL_SIGNAL: u32 = 1;

/// The first signal number that an awakeable may take; 2 to 15 are reserved, 16 is left unused.
pub const FIRST_AWAKEABLE_SIGNAL: u32 = 17;

/// What a notification answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NotificationId {
    /// A command of this journal.
    Completion(CompletionId),
    /// Something from outside.
    Signal(SignalId),
}

/// What a notification brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotificationResult {
    /// Done, without a value: a timer, an absent state key, a signal without payload.
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

/// Which kind of notification it is: decides the message type code, together with the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NotificationKind {
    /// Answer to `GetLazyState`.
    GetLazyState,
    /// Answer to `GetLazyStateKeys`.
    GetLazyStateKeys,
    /// Answer to `GetPromise`.
    GetPromise,
    /// Answer to `PeekPromise`.
    PeekPromise,
    /// Answer to `CompletePromise`.
    CompletePromise,
    /// A timer is over.
    Sleep,
    /// A callee's id, for a call and a one-way call alike.
    CallInvocationId,
    /// A callee's answer.
    Call,
    /// The result of a side effect.
    Run,
    /// Answer to `AttachInvocation`.
    AttachInvocation,
    /// Answer to `GetInvocationOutput`.
    GetInvocationOutput,
    /// A signal, an awakeable among them.
    Signal,
}

/// One notification: every kind has the same form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Its kind.
    pub kind: NotificationKind,
    /// What it answers.
    pub id: NotificationId,
    /// What it brings.
    pub result: NotificationResult,
}
