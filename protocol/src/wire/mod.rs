//! The protocol as bytes: message types, frames, and the conversion between protobuf bodies and the
//! domain types, one function per direction.
//!
//! The protobuf messages are Rust types in `messages`, private to this module.

mod awaiting;
pub mod command;
pub mod control;
pub mod fields;
pub mod frame;
mod messages;
pub mod notification;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use awaiting::{AWAITING_DEPTH_MAX, AWAITING_PARTS_MAX};

/// The type code of a message: the first two bytes of its frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageType(pub u16);

macro_rules! message_types {
    ($($(#[$doc:meta])* $name:ident = $code:literal $text:literal;)*) => {
        impl MessageType {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The name of the message, or `Unknown`.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($code => $text,)*
                    _ => "Unknown",
                }
            }
        }
    };
}

message_types! {
    /// The first frame of an attempt.
    START = 0x0000 "Start";
    /// The attempt ends because it waits for something.
    SUSPENSION = 0x0001 "Suspension";
    /// The attempt failed.
    ERROR = 0x0002 "Error";
    /// The invocation has ended.
    END = 0x0003 "End";
    /// Never sent: SDKs don't know it.
    COMMAND_ACK = 0x0004 "CommandAck";
    /// The result of a side effect.
    PROPOSE_RUN_COMPLETION = 0x0005 "ProposeRunCompletion";
    /// What the SDK currently waits for; informational.
    AWAITING_ON = 0x0006 "AwaitingOn";
    /// The result of a side effect is durable.
    PROPOSE_RUN_COMPLETION_ACK = 0x0007 "ProposeRunCompletionAck";
    /// See `Command::Input`.
    INPUT_COMMAND = 0x0400 "InputCommand";
    /// See `Command::Output`.
    OUTPUT_COMMAND = 0x0401 "OutputCommand";
    /// See `Command::GetLazyState`.
    GET_LAZY_STATE_COMMAND = 0x0402 "GetLazyStateCommand";
    /// See `Command::SetState`.
    SET_STATE_COMMAND = 0x0403 "SetStateCommand";
    /// See `Command::ClearState`.
    CLEAR_STATE_COMMAND = 0x0404 "ClearStateCommand";
    /// See `Command::ClearAllState`.
    CLEAR_ALL_STATE_COMMAND = 0x0405 "ClearAllStateCommand";
    /// See `Command::GetLazyStateKeys`.
    GET_LAZY_STATE_KEYS_COMMAND = 0x0406 "GetLazyStateKeysCommand";
    /// See `Command::GetEagerState`.
    GET_EAGER_STATE_COMMAND = 0x0407 "GetEagerStateCommand";
    /// See `Command::GetEagerStateKeys`.
    GET_EAGER_STATE_KEYS_COMMAND = 0x0408 "GetEagerStateKeysCommand";
    /// See `Command::GetPromise`.
    GET_PROMISE_COMMAND = 0x0409 "GetPromiseCommand";
    /// See `Command::PeekPromise`.
    PEEK_PROMISE_COMMAND = 0x040A "PeekPromiseCommand";
    /// See `Command::CompletePromise`.
    COMPLETE_PROMISE_COMMAND = 0x040B "CompletePromiseCommand";
    /// See `Command::Sleep`.
    SLEEP_COMMAND = 0x040C "SleepCommand";
    /// See `Command::Call`.
    CALL_COMMAND = 0x040D "CallCommand";
    /// See `Command::OneWayCall`.
    ONE_WAY_CALL_COMMAND = 0x040E "OneWayCallCommand";
    /// See `Command::SendSignal`.
    SEND_SIGNAL_COMMAND = 0x0410 "SendSignalCommand";
    /// See `Command::Run`.
    RUN_COMMAND = 0x0411 "RunCommand";
    /// See `Command::AttachInvocation`.
    ATTACH_INVOCATION_COMMAND = 0x0412 "AttachInvocationCommand";
    /// See `Command::GetInvocationOutput`.
    GET_INVOCATION_OUTPUT_COMMAND = 0x0413 "GetInvocationOutputCommand";
    /// See `Command::CompleteAwakeable`.
    COMPLETE_AWAKEABLE_COMMAND = 0x0414 "CompleteAwakeableCommand";
    /// Completes `GetLazyState`.
    GET_LAZY_STATE_COMPLETION = 0x8002 "GetLazyStateCompletion";
    /// Completes `GetLazyStateKeys`.
    GET_LAZY_STATE_KEYS_COMPLETION = 0x8006 "GetLazyStateKeysCompletion";
    /// Completes `GetPromise`.
    GET_PROMISE_COMPLETION = 0x8009 "GetPromiseCompletion";
    /// Completes `PeekPromise`.
    PEEK_PROMISE_COMPLETION = 0x800A "PeekPromiseCompletion";
    /// Completes `CompletePromise`.
    COMPLETE_PROMISE_COMPLETION = 0x800B "CompletePromiseCompletion";
    /// A timer fired.
    SLEEP_COMPLETION = 0x800C "SleepCompletion";
    /// A callee's result.
    CALL_COMPLETION = 0x800D "CallCompletion";
    /// A callee's id, for calls and one-way calls alike.
    CALL_INVOCATION_ID_COMPLETION = 0x800E "CallInvocationIdCompletion";
    /// The result of a side effect.
    RUN_COMPLETION = 0x8011 "RunCompletion";
    /// Completes `AttachInvocation`.
    ATTACH_INVOCATION_COMPLETION = 0x8012 "AttachInvocationCompletion";
    /// Completes `GetInvocationOutput`.
    GET_INVOCATION_OUTPUT_COMPLETION = 0x8013 "GetInvocationOutputCompletion";
    /// A signal, which includes awakeables.
    SIGNAL_NOTIFICATION = 0xFBFF "SignalNotification";
}

impl MessageType {
    /// The name of an entry without its class: `Call` for the command and for its completion.
    pub fn short_name(self) -> &'static str {
        let name = self.name();
        let classes: &[&str] =
            if self.is_control() { &[] } else { &["Command", "Completion", "Notification"] };
        classes.iter().find_map(|class| name.strip_suffix(class)).unwrap_or(name)
    }

    /// Whether it is a journal command.
    pub fn is_command(self) -> bool {
        (0x0400..0x8000).contains(&self.0)
    }

    /// Whether it is a journal notification.
    pub fn is_notification(self) -> bool {
        (0x8000..0xFC00).contains(&self.0)
    }

    /// Whether it is a control message: it steers the attempt and is not journaled.
    pub fn is_control(self) -> bool {
        self.0 < 0x0200
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(0x{:04X})", self.name(), self.0)
    }
}

/// Bytes that violate the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The body is not a valid protobuf message of this type.
    #[error("{ty:?} cannot be decoded: {reason}")]
    Malformed {
        /// Type of the frame.
        ty: MessageType,
        /// The decoder's error message.
        reason: String,
    },
    /// A part that the protocol requires is missing.
    #[error("{ty:?} has no {part}")]
    Missing {
        /// Type of the frame.
        ty: MessageType,
        /// What is missing.
        part: &'static str,
    },
    /// A different type of message was expected here.
    #[error("{ty:?} is not a {expected}")]
    UnexpectedType {
        /// Type of the frame.
        ty: MessageType,
        /// What was expected.
        expected: &'static str,
    },
    /// The frame exceeds the size limit.
    #[error("{ty:?} has {length_bytes} bytes, more than the limit of {limit_bytes}")]
    TooLarge {
        /// Type of the frame.
        ty: MessageType,
        /// Length of its body in bytes.
        length_bytes: u32,
        /// Maximum length of a body.
        limit_bytes: u32,
    },
    /// An await tree exceeds the depth limit.
    #[error(
        "{ty:?} waits for futures nested more than {limit} levels deep, which is the \
         limit; await some of them before combining them further"
    )]
    TooDeep {
        /// Type of the frame.
        ty: MessageType,
        /// Maximum number of levels.
        limit: usize,
    },
    /// It has more fields than any real message needs.
    #[error(
        "{ty:?} has more than {limit} fields, which is the limit; send fewer headers or keys at once"
    )]
    TooManyFields {
        /// Type of the frame.
        ty: MessageType,
        /// Maximum number of fields.
        limit: usize,
    },
    /// An await tree exceeds the size limit.
    #[error("{ty:?} waits for more than {limit} futures at once, which is the limit")]
    TooManyParts {
        /// Type of the frame.
        ty: MessageType,
        /// Maximum number of nodes and leaves.
        limit: usize,
    },
}
