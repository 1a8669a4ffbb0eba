//! Commands: the entries that user code issues.

use bytes::Bytes;

use super::{CompletionId, NotificationResult};
use crate::{TerminalFailure, journal::notification::SignalId};

/// A command with the free-form name that the SDK gave its entry (empty when none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCommand {
    /// Name shown to people; compared on replay.
    pub name: String,
    /// What was asked for.
    pub command: Command,
}

impl From<Command> for NamedCommand {
    fn from(command: Command) -> Self {
        Self { name: String::new(), command }
    }
}

/// Everything user code can ask of the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Command {
    /// The first entry: what the invocation was called with.
    Input { headers: Vec<(String, String)>, value: Bytes },
    /// The last entry: what the invocation answers.
    Output { result: Result<Bytes, TerminalFailure> },
    /// Read of a state key that the attempt was not given; the value comes as a completion.
    GetLazyState { key: Bytes, completion: CompletionId },
    /// Write of a state key.
    SetState { key: Bytes, value: Bytes },
    /// Removal of a state key.
    ClearState { key: Bytes },
    /// Removal of all state of the key.
    ClearAllState,
    /// List of state keys, as a completion.
    GetLazyStateKeys { completion: CompletionId },
    /// Read of a state key that the SDK answered itself; the value is part of the entry.
    GetEagerState { key: Bytes, value: Option<Bytes> },
    /// List of state keys that the SDK answered itself.
    GetEagerStateKeys { keys: Vec<Bytes> },
    /// Wait for a workflow promise.
    GetPromise { key: String, completion: CompletionId },
    /// Look at a workflow promise without waiting.
    PeekPromise { key: String, completion: CompletionId },
    /// Complete a workflow promise; refused when it is already completed.
    CompletePromise {
        key: String,
        result: Result<Bytes, TerminalFailure>,
        completion: CompletionId,
    },
    /// Durable timer.
    Sleep {
        /// When it is over, in milliseconds since the epoch.
        wake_up_time_ms: u64,
        completion: CompletionId,
    },
    /// Call another handler and wait for its answer.
    Call {
        request: CallRequest,
        /// Completed at once with the callee's invocation id.
        invocation_id_completion: CompletionId,
        /// Completed with the callee's answer.
        result_completion: CompletionId,
    },
    /// Call another handler without waiting.
    OneWayCall {
        request: CallRequest,
        /// Earliest start in milliseconds since the epoch; 0 or the past means now.
        invoke_time_ms: u64,
        /// Completed at once with the callee's invocation id.
        invocation_id_completion: CompletionId,
    },
    /// Send a signal to another invocation; the target is the textual invocation id.
    SendSignal { target: String, signal: SignalId, result: NotificationResult },
    /// A side effect; its result is proposed by the SDK afterwards.
    Run { completion: CompletionId },
    /// Wait for the result of another invocation.
    AttachInvocation { target: InvocationTarget, completion: CompletionId },
    /// Look at the result of another invocation without waiting.
    GetInvocationOutput { target: InvocationTarget, completion: CompletionId },
    /// Complete an awakeable, named by its textual id.
    CompleteAwakeable { id: String, result: Result<Bytes, TerminalFailure> },
}

/// What a call or a one-way call carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest {
    /// Name of the service called.
    pub service: String,
    /// Name of its handler.
    pub handler: String,
    /// Object or workflow key; empty for a plain service.
    pub key: String,
    /// The serialized argument.
    pub parameter: Bytes,
    /// Headers handed to the callee.
    pub headers: Vec<(String, String)>,
    /// Same key, same invocation.
    pub idempotency_key: Option<String>,
    /// Flow-control scope (V7).
    pub scope: Option<String>,
    /// Limit key within the scope (V7).
    pub limit_key: Option<String>,
}

/// How an attach or a look at the output names its invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum InvocationTarget {
    /// Textual invocation id.
    Id(String),
    /// The invocation that an idempotency key stands for.
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
