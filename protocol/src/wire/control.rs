//! Control messages: they steer an attempt and are not journaled.

use bytes::Bytes;
use prost::Message;

use super::{
    MessageType, WireError, awaiting,
    frame::{Frame, REQUESTED_ACK},
    messages,
    notification::{decode_failure, encode_failure},
};
use crate::{
    InvocationId, ProtocolVersion, TerminalFailure,
    journal::{Awaiting, CompletionId},
};

/// The first frame of an attempt, runtime to SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The invocation being attempted.
    pub id: InvocationId,
    /// The invocation's id as text.
    pub debug_id: String,
    /// Number of journal entries that follow immediately; at least one.
    pub known_entries: u32,
    /// Initial state of the object or workflow, as key/value pairs.
    pub state: Vec<(Bytes, Bytes)>,
    /// Whether `state` may be incomplete.
    pub partial_state: bool,
    /// Key of the object or workflow; empty for a plain service.
    pub key: String,
    /// Number of failed attempts since a command was last stored.
    pub retry_count: u32,
    /// Time since the last entry was stored, in milliseconds.
    pub duration_since_last_entry_ms: u64,
    /// Seeds the SDK's random number generator; SDKs read it from V6 on.
    pub random_seed: u64,
    /// Flow-control scope (V7).
    pub scope: Option<String>,
    /// Limit key within the scope (V7).
    pub limit_key: Option<String>,
    /// The client's idempotency key (V7).
    pub idempotency_key: Option<String>,
}

impl Start {
    /// Encodes the message as a frame.
    pub fn encode(&self) -> Frame {
        let state = self.state.iter();
        let message = messages::Start {
            id: Bytes::copy_from_slice(&self.id.to_raw()),
            debug_id: self.debug_id.clone(),
            known_entries: self.known_entries,
            state_map: state
                .map(|(key, value)| messages::StateEntry { key: key.clone(), value: value.clone() })
                .collect(),
            partial_state: self.partial_state,
            key: self.key.clone(),
            retry_count_since_last_stored_entry: self.retry_count,
            duration_since_last_stored_entry: self.duration_since_last_entry_ms,
            random_seed: self.random_seed,
            scope: self.scope.clone(),
            limit_key: self.limit_key.clone(),
            idempotency_key: self.idempotency_key.clone(),
        };
        write(MessageType::START, &message)
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// Returns an error if it is a different message, or its id is invalid.
    pub fn decode(frame: &Frame) -> Result<Self, WireError> {
        let message: messages::Start = read(frame, MessageType::START, "Start")?;
        let id = InvocationId::from_raw(&message.id)
            .ok_or(WireError::Missing { ty: frame.ty, part: "id" })?;
        let state = message.state_map.into_iter();
        Ok(Self {
            id,
            debug_id: message.debug_id,
            known_entries: message.known_entries,
            state: state.map(|entry| (entry.key, entry.value)).collect(),
            partial_state: message.partial_state,
            key: message.key,
            retry_count: message.retry_count_since_last_stored_entry,
            duration_since_last_entry_ms: message.duration_since_last_stored_entry,
            random_seed: message.random_seed,
            scope: message.scope,
            limit_key: message.limit_key,
            idempotency_key: message.idempotency_key,
        })
    }
}

/// The attempt ends because it waits for something; SDK to runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// The invocation resumes once this tree is resolved.
    pub awaiting: Awaiting,
}

impl Suspension {
    /// Encodes the message as a frame: flat below V7, a tree from V7 on.
    pub fn encode(&self, version: ProtocolVersion) -> Frame {
        let body = if version.has_await_tree() {
            awaiting::encode_suspension(&self.awaiting)
        } else {
            awaiting::encode_flat(&self.awaiting)
        };
        Frame::new(MessageType::SUSPENSION, body)
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// Returns an error if it is a different message, or its tree exceeds the limits on depth or
    /// size.
    pub fn decode(frame: &Frame, version: ProtocolVersion) -> Result<Self, WireError> {
        expect(frame, MessageType::SUSPENSION, "Suspension")?;
        let awaiting = awaiting::decode_suspension(&frame.body, version.has_await_tree())?;
        Ok(Self { awaiting })
    }
}

/// What the SDK currently waits for; informational (V7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitingOn {
    /// The tree of notifications it waits for.
    pub awaiting: Awaiting,
    /// Whether side effects are executing.
    pub executing_side_effects: bool,
}

impl AwaitingOn {
    /// Encodes the message as a frame.
    pub fn encode(&self) -> Frame {
        let body = awaiting::encode_awaiting_on(&self.awaiting, self.executing_side_effects);
        Frame::new(MessageType::AWAITING_ON, body)
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// Returns an error if it is a different message, or its tree exceeds the limits on depth or
    /// size.
    pub fn decode(frame: &Frame) -> Result<Self, WireError> {
        expect(frame, MessageType::AWAITING_ON, "AwaitingOn")?;
        let (awaiting, executing_side_effects) = awaiting::decode_awaiting_on(&frame.body)?;
        Ok(Self { awaiting, executing_side_effects })
    }
}

/// The attempt failed; SDK to runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptError {
    /// HTTP-like status, or 570 to 573.
    pub code: u32,
    /// Human-readable reason.
    pub message: String,
    /// Empty if the SDK has none.
    pub stacktrace: String,
    /// The command that failed, if known.
    pub related_command: Option<RelatedCommand>,
    /// Delay before the next attempt, in milliseconds; if absent, the retry policy decides.
    pub next_retry_delay_ms: Option<u64>,
    /// What the runtime should do next.
    pub behavior: ErrorBehavior,
}

/// Identifies the command that an error relates to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelatedCommand {
    /// Index among the commands; Input is 0.
    pub index: Option<u32>,
    /// Name of the entry.
    pub name: Option<String>,
    /// Message type code.
    pub ty: Option<u32>,
}

/// What the runtime should do after a failed attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ErrorBehavior {
    /// Retry according to the policy.
    #[default]
    Retry,
    /// Pause until an operator intervenes.
    Pause,
    /// Complete the invocation with this failure.
    Fail,
}

impl AttemptError {
    /// Encodes the message as a frame.
    pub fn encode(&self) -> Frame {
        let related = self.related_command.clone().unwrap_or_default();
        let message = messages::Error {
            code: self.code,
            message: self.message.clone(),
            stacktrace: self.stacktrace.clone(),
            related_command_index: related.index,
            related_command_name: related.name,
            related_command_type: related.ty,
            next_retry_delay: self.next_retry_delay_ms,
            behavior: match self.behavior {
                ErrorBehavior::Retry => 0,
                ErrorBehavior::Pause => 1,
                ErrorBehavior::Fail => 2,
            },
        };
        write(MessageType::ERROR, &message)
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// Returns an error if it is a different message.
    pub fn decode(frame: &Frame) -> Result<Self, WireError> {
        let message: messages::Error = read(frame, MessageType::ERROR, "Error")?;
        let related = RelatedCommand {
            index: message.related_command_index,
            name: message.related_command_name,
            ty: message.related_command_type,
        };
        Ok(Self {
            code: message.code,
            message: message.message,
            stacktrace: message.stacktrace,
            related_command: (related != RelatedCommand::default()).then_some(related),
            next_retry_delay_ms: message.next_retry_delay,
            behavior: match message.behavior {
                1 => ErrorBehavior::Pause,
                2 => ErrorBehavior::Fail,
                // Unknown behaviour is treated as a retry, which loses nothing.
                _ => ErrorBehavior::Retry,
            },
        })
    }
}

/// The invocation has ended; SDK to runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End;

impl End {
    /// Encodes the message as a frame.
    pub fn encode(&self) -> Frame {
        Frame::new(MessageType::END, Bytes::new())
    }
}

/// The result of a side effect; SDK to runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunProposal {
    /// Completion id of the run.
    pub completion: CompletionId,
    /// The closure's value, or its terminal failure.
    pub result: Result<Bytes, TerminalFailure>,
    /// Whether an acknowledgement suffices instead of a full completion.
    pub ack_requested: bool,
}

impl RunProposal {
    /// Encodes the message as a frame.
    pub fn encode(&self, version: ProtocolVersion) -> Frame {
        let result = Some(match &self.result {
            Ok(value) => messages::RunResult::Value(value.clone()),
            Err(failure) => messages::RunResult::Failure(encode_failure(failure, version)),
        });
        let message =
            messages::ProposeRunCompletion { result_completion_id: self.completion, result };
        let mut frame = write(MessageType::PROPOSE_RUN_COMPLETION, &message);
        if self.ack_requested && version.has_run_ack() {
            frame.flags |= REQUESTED_ACK;
        }
        frame
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// Returns an error if it is a different message, or has no result.
    pub fn decode(frame: &Frame) -> Result<Self, WireError> {
        let message: messages::ProposeRunCompletion =
            read(frame, MessageType::PROPOSE_RUN_COMPLETION, "ProposeRunCompletion")?;
        let result = message.result.ok_or(WireError::Missing { ty: frame.ty, part: "result" })?;
        Ok(Self {
            completion: message.result_completion_id,
            result: match result {
                messages::RunResult::Value(value) => Ok(value),
                messages::RunResult::Failure(failure) => Err(decode_failure(failure)),
            },
            ack_requested: frame.flags & REQUESTED_ACK != 0,
        })
    }
}

/// The result of a side effect is durable; runtime to SDK (V7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAck {
    /// Completion id of the run.
    pub completion: CompletionId,
}

impl RunAck {
    /// Encodes the message as a frame.
    pub fn encode(&self) -> Frame {
        let message = messages::ProposeRunCompletionAck { completion_id: self.completion };
        write(MessageType::PROPOSE_RUN_COMPLETION_ACK, &message)
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// Returns an error if it is a different message.
    pub fn decode(frame: &Frame) -> Result<Self, WireError> {
        let ty = MessageType::PROPOSE_RUN_COMPLETION_ACK;
        let message: messages::ProposeRunCompletionAck =
            read(frame, ty, "ProposeRunCompletionAck")?;
        Ok(Self { completion: message.completion_id })
    }
}

fn write(ty: MessageType, message: &impl Message) -> Frame {
    Frame::new(ty, message.encode_to_vec().into())
}

fn read<M: Message + Default>(
    frame: &Frame,
    expected: MessageType,
    name: &'static str,
) -> Result<M, WireError> {
    expect(frame, expected, name)?;
    M::decode(frame.body.clone())
        .map_err(|error| WireError::Malformed { ty: frame.ty, reason: error.to_string() })
}

fn expect(frame: &Frame, expected: MessageType, name: &'static str) -> Result<(), WireError> {
    if frame.ty == expected {
        Ok(())
    } else {
        Err(WireError::UnexpectedType { ty: frame.ty, expected: name })
    }
}
