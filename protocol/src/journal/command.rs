//! Commands: the entries that user code appends.

use bytes::Bytes;

use super::{CompletionId, NotificationResult};
use crate::{TerminalFailure, journal::notification::SignalId};

/// A command with the free-form name that the SDK gave its entry (empty if it gave none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCommand {
    /// Display name; compared on replay.
    pub name: String,
    /// The command itself.
    pub command: Command,
}

impl From<Command> for NamedCommand {
    fn from(command: Command) -> Self {
        Self { name: String::new(), command }
    }
}

/// Everything user code can request from the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Command {
    /// The first entry: the input the invocation was called with.
    Input { headers: Vec<(String, String)>, value: Bytes },
    /// The last entry: the result of the invocation.
    Output { result: Result<Bytes, TerminalFailure> },
    /// Reads a state key whose value the attempt was not given; the value arrives as a completion.
    GetLazyState { key: Bytes, completion: CompletionId },
    /// Writes a state key.
    SetState { key: Bytes, value: Bytes },
    /// Removes a state key.
    ClearState { key: Bytes },
    /// Removes all of the object's state.
    ClearAllState,
    /// Lists the state keys; they arrive as a completion.
    GetLazyStateKeys { completion: CompletionId },
    /// Reads a state key that the SDK already knew; the value is part of the entry.
    GetEagerState { key: Bytes, value: Option<Bytes> },
    /// Lists state keys that the SDK already knew.
    GetEagerStateKeys { keys: Vec<Bytes> },
    /// Waits for a workflow promise.
    GetPromise { key: String, completion: CompletionId },
    /// Reads a workflow promise without waiting.
    PeekPromise { key: String, completion: CompletionId },
    /// Completes a workflow promise; rejected if it is already completed.
    CompletePromise {
        key: String,
        result: Result<Bytes, TerminalFailure>,
        completion: CompletionId,
    },
    /// Starts a durable timer.
    Sleep {
        /// When it fires, in milliseconds since the epoch.
        wake_up_time_ms: u64,
        completion: CompletionId,
    },
    /// Calls another handler and waits for its result.
    Call {
        request: CallRequest,
        /// Completed immediately with the callee's invocation id.
        invocation_id_completion: CompletionId,
        /// Completed with the callee's result.
        result_completion: CompletionId,
    },
    /// Calls another handler without waiting.
    OneWayCall {
        request: CallRequest,
        /// Earliest start in milliseconds since the epoch; 0 or a time in the past means now.
        invoke_time_ms: u64,
        /// Completed immediately with the callee's invocation id.
        invocation_id_completion: CompletionId,
    },
    /// Sends a signal to another invocation; the target is its textual id.
    SendSignal { target: String, signal: SignalId, result: NotificationResult },
    /// A side effect; the SDK proposes its result later.
    Run { completion: CompletionId },
    /// Waits for the result of another invocation.
    AttachInvocation { target: InvocationTarget, completion: CompletionId },
    /// Reads the result of another invocation without waiting.
    GetInvocationOutput { target: InvocationTarget, completion: CompletionId },
    /// Completes an awakeable, identified by its textual id.
    CompleteAwakeable { id: String, result: Result<Bytes, TerminalFailure> },
}

/// The payload of a call or one-way call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest {
    /// Name of the service to call.
    pub service: String,
    /// Name of its handler.
    pub handler: String,
    /// Object or workflow key; empty for a plain service.
    pub key: String,
    /// The serialized argument.
    pub parameter: Bytes,
    /// Headers passed to the callee.
    pub headers: Vec<(String, String)>,
    /// Calls with the same key reach the same invocation.
    pub idempotency_key: Option<String>,
    /// Flow-control scope (V7).
    pub scope: Option<String>,
    /// Limit key within the scope (V7).
    pub limit_key: Option<String>,
}

/// How an attach or get-output command identifies the other invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum InvocationTarget {
    /// Textual invocation id.
    Id(String),
    /// The invocation behind an idempotency key.
    Idempotent {
        service: String,
        /// Object key; empty for a plain service.
        key: String,
        handler: String,
        idempotency_key: String,
        scope: Option<String>,
    },
    /// The `run` of a workflow.
    Workflow { name: String, key: String, scope: Option<String> },
}
