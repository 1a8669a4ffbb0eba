//! Messages between partitions.

use protocol::{
    InvocationId,
    journal::{Notification, NotificationResult, notification::SignalId},
};
use serde::{Deserialize, Serialize};

use super::{
    ids::Lsn,
    invocation::{CallRef, Invoke},
};

/// A message from one partition to another, or to itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Message {
    /// Run this invocation.
    Invoke(Box<Invoke>),
    /// The answer to a call, an attach or an output query.
    Notify { to: InvocationId, invocation: Lsn, notification: Notification },
    /// A signal for one of the receiver's invocations.
    Signal { to: InvocationId, signal: SignalId, result: NotificationResult },
    /// Answer `from` when `target` completes, or immediately if `wait` is false.
    Attach { from: CallRef, target: InvocationId, wait: bool },
    /// Kill one of the receiver's invocations, no matter what started it. Format 1 sent this
    /// instead of [`Self::KillCallee`].
    Kill { target: InvocationId },
    /// Kill one of the receiver's invocations if it was started by this caller, identified by its
    /// id and the LSN that created it.
    KillCallee { target: InvocationId, caller: InvocationId, invocation: Lsn },
    /// `from` has ended and no longer waits for the result of `target`.
    Detach { from: CallRef, target: InvocationId },
}

impl Message {
    /// The invocation that the message is addressed to; its partition is the receiver.
    pub fn to(&self) -> InvocationId {
        match self {
            Self::Invoke(invoke) => invoke.id,
            Self::Notify { to, .. } | Self::Signal { to, .. } => *to,
            Self::Attach { target, .. }
            | Self::Kill { target }
            | Self::KillCallee { target, .. }
            | Self::Detach { target, .. } => *target,
        }
    }
}
