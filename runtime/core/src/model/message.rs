//! What partitions tell each other.

use protocol::{
    InvocationId,
    journal::{Notification, NotificationResult, notification::SignalId},
};
use serde::{Deserialize, Serialize};

use super::{
    ids::Lsn,
    invocation::{CallRef, Invoke},
};

/// What one partition tells another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Message {
    /// Run this.
    Invoke(Box<Invoke>),
    /// A call or an attach has its answer.
    Notify { to: InvocationId, invocation: Lsn, notification: Notification },
    /// A signal for one of your invocations.
    Signal { to: InvocationId, signal: SignalId, result: NotificationResult },
    /// Answer `from` when `target` is done, or at once when `wait` is false.
    Attach { from: CallRef, target: InvocationId, wait: bool },
    /// Kill one of your invocations, whoever started it: format 1's word for the next.
    Kill { target: InvocationId },
    /// Kill one of your invocations if this one has started it: its id and the lsn that created it.
    KillCallee { target: InvocationId, caller: InvocationId, invocation: Lsn },
    /// `from` has ended and does not wait for the result of `target` any more.
    Detach { from: CallRef, target: InvocationId },
}

impl Message {
    /// The invocation that it is for.
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
