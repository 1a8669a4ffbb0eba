//! The journal: the ordered record of one invocation.
//!
//! An [`Entry`] is stored and replayed as the exact bytes in which it first arrived; whatever the
//! runtime or the SDK needs to know about it is decoded into a [`command`] or a [`notification`].

pub mod awaiting;
pub mod command;
pub mod notification;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::wire::MessageType;

pub use awaiting::{Awaiting, Combinator};
pub use command::{CallRequest, Command, InvocationTarget, NamedCommand};
pub use notification::{Notification, NotificationId, NotificationKind, NotificationResult};

/// Position of an entry in the journal, counting commands and notifications; Input is 0.
pub type EntryIndex = u32;

/// Identifies a command's completion; assigned by the SDK, starting at 1.
pub type CompletionId = u32;

/// One journal entry as it appears on the wire: the bytes are stored and replayed verbatim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which command or notification it is.
    pub ty: MessageType,
    /// The protobuf body.
    pub body: Bytes,
}
