//! How the protocol looks as bytes: the table of message types, frames, and the translation between
//! protobuf bodies and the domain types, one direction a function.
//!
//! The protobuf messages are written down as Rust types in `messages` and do not leave this module.

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

            /// Its name, or `Unknown`.
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
    /// The attempt waits and ends.
    SUSPENSION = 0x0001 "Suspension";
    /// The attempt failed.
    ERROR = 0x0002 "Error";
    /// The invocation ends.
    END = 0x0003 "End";
    /// Never sent: SDKs do not know it.
    COMMAND_ACK = 0x0004 "CommandAck";
    /// The result of a side effect.
    PROPOSE_RUN_COMPLETION = 0x0005 "ProposeRunCompletion";
    /// What the SDK waits for, for people.
    AWAITING_ON = 0x0006 "AwaitingOn";
    /// A side effect's result is durable.
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
    /// Answer to `GetLazyState`.
    GET_LAZY_STATE_COMPLETION = 0x8002 "GetLazyStateCompletion";
    /// Answer to `GetLazyStateKeys`.
    GET_LAZY_STATE_KEYS_COMPLETION = 0x8006 "GetLazyStateKeysCompletion";
    /// Answer to `GetPromise`.
    GET_PROMISE_COMPLETION = 0x8009 "GetPromiseCompletion";
    /// Answer to `PeekPromise`.
    PEEK_PROMISE_COMPLETION = 0x800A "PeekPromiseCompletion";
    /// Answer to `CompletePromise`.
    COMPLETE_PROMISE_COMPLETION = 0x800B "CompletePromiseCompletion";
    /// A timer is over.
    SLEEP_COMPLETION = 0x800C "SleepCompletion";
    /// A callee's answer.
    CALL_COMPLETION = 0x800D "CallCompletion";
    /// A callee's id, for calls and one-way calls alike.
    CALL_INVOCATION_ID_COMPLETION = 0x800E "CallInvocationIdCompletion";
    /// The result of a side effect.
    RUN_COMPLETION = 0x8011 "RunCompletion";
    /// Answer to `AttachInvocation`.
    ATTACH_INVOCATION_COMPLETION = 0x8012 "AttachInvocationCompletion";
    /// Answer to `GetInvocationOutput`.
    GET_INVOCATION_OUTPUT_COMPLETION = 0x8013 "GetInvocationOutputCompletion";
    /// A signal.
    SIGNAL_NOTIFICATION = 0xFBFF "SignalNotification";
}

impl MessageType {
    /// Whether it is a journal command.
    pub fn is_command(self) -> bool {
        (0x0400..0x8000).contains(&self.0)
    }

    /// Whether it is a journal notification.
    pub fn is_notification(self) -> bool {
        (0x8000..0xFC00).contains(&self.0)
    }

    /// Whether it steers the attempt and is not journaled.
    pub fn is_control(self) -> bool {
        self.0 < 0x0200
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(0x{:04X})", self.name(), self.0)
    }
}

/// Bytes that are not what the protocol says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The body is no protobuf message of this type.
    #[error("{ty:?} cannot be decoded: {reason}")]
    Malformed {
        /// Of the frame.
        ty: MessageType,
        /// What the decoder said.
        reason: String,
    },
    /// A part that the protocol demands is absent.
    #[error("{ty:?} lacks its {part}")]
    Missing {
        /// Of the frame.
        ty: MessageType,
        /// What is absent.
        part: &'static str,
    },
    /// Something else was expected here.
    #[error("{ty:?} is not a {expected}")]
    UnexpectedType {
        /// Of the frame.
        ty: MessageType,
        /// What would have been right.
        expected: &'static str,
    },
    /// The frame is larger than it may be.
    #[error("{ty:?} has {length_bytes} bytes, more than the limit of {limit_bytes}")]
    TooLarge {
        /// Of the frame.
        ty: MessageType,
        /// Length of its body.
        length_bytes: u32,
        /// How long it may be.
        limit_bytes: u32,
    },
    /// An await tree is deeper than it may be.
    #[error(
        "{ty:?} waits for futures nested more than {limit} levels deep, which is as deep as they \
         may be; await some of them before they are combined further"
    )]
    TooDeep {
        /// Of the frame.
        ty: MessageType,
        /// How many levels there may be.
        limit: usize,
    },
    /// It has more fields than anybody needs.
    #[error(
        "{ty:?} has more than {limit} fields, which is the limit; send fewer headers or keys at once"
    )]
    TooManyFields {
        /// Of the frame.
        ty: MessageType,
        /// How many there may be.
        limit: usize,
    },
    /// An await tree is larger than it may be.
    #[error("{ty:?} waits for more than {limit} futures at once, which is the limit")]
    TooManyParts {
        /// Of the frame.
        ty: MessageType,
        /// How many nodes and leaves there may be.
        limit: usize,
    },
}
