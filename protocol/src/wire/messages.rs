//! The protobuf messages as Rust types, in the order of their type codes. The field numbers are the
//! protocol's; this file is the schema, except for await trees, which are in `awaiting`.

use bytes::Bytes;
use prost::{Message, Oneof};

/// Field of every command that has a callee: the completion id for the callee's invocation id.
pub(super) const CALLEE_ID_COMPLETION: u32 = 10;
/// Field of every command that has a result: the completion id for the result.
pub(super) const RESULT_COMPLETION: u32 = 11;

#[derive(Clone, PartialEq, Message)]
pub(super) struct Void {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) content: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Pair {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Failure {
    #[prost(uint32, tag = "1")]
    pub(super) code: u32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) metadata: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StateKeys {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) keys: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WorkflowTarget {
    #[prost(string, tag = "1")]
    pub(super) workflow_name: String,
    #[prost(string, tag = "2")]
    pub(super) workflow_key: String,
    #[prost(string, optional, tag = "3")]
    pub(super) scope: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct IdempotentRequestTarget {
    #[prost(string, tag = "1")]
    pub(super) service_name: String,
    #[prost(string, optional, tag = "2")]
    pub(super) service_key: Option<String>,
    #[prost(string, tag = "3")]
    pub(super) handler_name: String,
    #[prost(string, tag = "4")]
    pub(super) idempotency_key: String,
    #[prost(string, optional, tag = "5")]
    pub(super) scope: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Start {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) id: Bytes,
    #[prost(string, tag = "2")]
    pub(super) debug_id: String,
    #[prost(uint32, tag = "3")]
    pub(super) known_entries: u32,
    #[prost(message, repeated, tag = "4")]
    pub(super) state_map: Vec<StateEntry>,
    #[prost(bool, tag = "5")]
    pub(super) partial_state: bool,
    #[prost(string, tag = "6")]
    pub(super) key: String,
    #[prost(uint32, tag = "7")]
    pub(super) retry_count_since_last_stored_entry: u32,
    #[prost(uint64, tag = "8")]
    pub(super) duration_since_last_stored_entry: u64,
    #[prost(uint64, tag = "9")]
    pub(super) random_seed: u64,
    #[prost(string, optional, tag = "10")]
    pub(super) scope: Option<String>,
    #[prost(string, optional, tag = "11")]
    pub(super) limit_key: Option<String>,
    #[prost(string, optional, tag = "12")]
    pub(super) idempotency_key: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StateEntry {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Error {
    #[prost(uint32, tag = "1")]
    pub(super) code: u32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(string, tag = "3")]
    pub(super) stacktrace: String,
    #[prost(uint32, optional, tag = "4")]
    pub(super) related_command_index: Option<u32>,
    #[prost(string, optional, tag = "5")]
    pub(super) related_command_name: Option<String>,
    #[prost(uint32, optional, tag = "6")]
    pub(super) related_command_type: Option<u32>,
    #[prost(uint64, optional, tag = "8")]
    pub(super) next_retry_delay: Option<u64>,
    #[prost(uint32, tag = "9")]
    pub(super) behavior: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProposeRunCompletion {
    #[prost(uint32, tag = "1")]
    pub(super) result_completion_id: u32,
    #[prost(oneof = "RunResult", tags = "14, 15")]
    pub(super) result: Option<RunResult>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum RunResult {
    #[prost(bytes = "bytes", tag = "14")]
    Value(Bytes),
    #[prost(message, tag = "15")]
    Failure(Failure),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProposeRunCompletionAck {
    #[prost(uint32, tag = "1")]
    pub(super) completion_id: u32,
}

/// All notifications have this shape.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Notification {
    #[prost(oneof = "NotificationId", tags = "1, 2, 3")]
    pub(super) id: Option<NotificationId>,
    #[prost(oneof = "NotificationResult", tags = "4, 5, 6, 16, 17")]
    pub(super) result: Option<NotificationResult>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum NotificationId {
    #[prost(uint32, tag = "1")]
    Completion(u32),
    #[prost(uint32, tag = "2")]
    Signal(u32),
    #[prost(string, tag = "3")]
    NamedSignal(String),
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum NotificationResult {
    #[prost(message, tag = "4")]
    Void(Void),
    #[prost(message, tag = "5")]
    Value(Value),
    #[prost(message, tag = "6")]
    Failure(Failure),
    #[prost(string, tag = "16")]
    InvocationId(String),
    #[prost(message, tag = "17")]
    StateKeys(StateKeys),
}

/// Decodes only the completion id, for callers that don't need the rest.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CompletionIdOnly {
    #[prost(uint32, optional, tag = "1")]
    pub(super) completion_id: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Input {
    #[prost(message, repeated, tag = "1")]
    pub(super) headers: Vec<Pair>,
    #[prost(message, optional, tag = "14")]
    pub(super) value: Option<Value>,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Output {
    #[prost(oneof = "OutputResult", tags = "14, 15")]
    pub(super) result: Option<OutputResult>,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum OutputResult {
    #[prost(message, tag = "14")]
    Value(Value),
    #[prost(message, tag = "15")]
    Failure(Failure),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetLazyState {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(uint32, tag = "11")]
    pub(super) result_completion_id: u32,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SetState {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(message, optional, tag = "3")]
    pub(super) value: Option<Value>,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ClearState {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ClearAllState {
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetLazyStateKeys {
    #[prost(uint32, tag = "11")]
    pub(super) result_completion_id: u32,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetEagerState {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(oneof = "EagerState", tags = "13, 14")]
    pub(super) result: Option<EagerState>,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum EagerState {
    #[prost(message, tag = "13")]
    Void(Void),
    #[prost(message, tag = "14")]
    Value(Value),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetEagerStateKeys {
    #[prost(message, optional, tag = "14")]
    pub(super) value: Option<StateKeys>,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

/// `GetPromise` and `PeekPromise`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Promise {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(uint32, tag = "11")]
    pub(super) result_completion_id: u32,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CompletePromise {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(oneof = "Completion", tags = "2, 3")]
    pub(super) completion: Option<Completion>,
    #[prost(uint32, tag = "11")]
    pub(super) result_completion_id: u32,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

/// The result of a promise or an awakeable.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Completion {
    #[prost(message, tag = "2")]
    Value(Value),
    #[prost(message, tag = "3")]
    Failure(Failure),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sleep {
    #[prost(uint64, tag = "1")]
    pub(super) wake_up_time: u64,
    #[prost(uint32, tag = "11")]
    pub(super) result_completion_id: u32,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Call {
    #[prost(string, tag = "1")]
    pub(super) service_name: String,
    #[prost(string, tag = "2")]
    pub(super) handler_name: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) parameter: Bytes,
    #[prost(message, repeated, tag = "4")]
    pub(super) headers: Vec<Pair>,
    #[prost(string, tag = "5")]
    pub(super) key: String,
    #[prost(string, optional, tag = "6")]
    pub(super) idempotency_key: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(super) scope: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(super) limit_key: Option<String>,
    #[prost(uint32, tag = "10")]
    pub(super) invocation_id_notification_idx: u32,
    #[prost(uint32, tag = "11")]
    pub(super) result_completion_id: u32,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

/// From field 4 on, the numbers are one higher than in `Call`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OneWayCall {
    #[prost(string, tag = "1")]
    pub(super) service_name: String,
    #[prost(string, tag = "2")]
    pub(super) handler_name: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(super) parameter: Bytes,
    #[prost(uint64, tag = "4")]
    pub(super) invoke_time: u64,
    #[prost(message, repeated, tag = "5")]
    pub(super) headers: Vec<Pair>,
    #[prost(string, tag = "6")]
    pub(super) key: String,
    #[prost(string, optional, tag = "7")]
    pub(super) idempotency_key: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(super) scope: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(super) limit_key: Option<String>,
    #[prost(uint32, tag = "10")]
    pub(super) invocation_id_notification_idx: u32,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SendSignal {
    #[prost(string, tag = "1")]
    pub(super) target_invocation_id: String,
    #[prost(oneof = "SignalName", tags = "2, 3")]
    pub(super) signal: Option<SignalName>,
    #[prost(oneof = "SignalResult", tags = "4, 5, 6")]
    pub(super) result: Option<SignalResult>,
    #[prost(string, tag = "12")]
    pub(super) entry_name: String,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum SignalName {
    #[prost(uint32, tag = "2")]
    Index(u32),
    #[prost(string, tag = "3")]
    Name(String),
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum SignalResult {
    #[prost(message, tag = "4")]
    Void(Void),
    #[prost(message, tag = "5")]
    Value(Value),
    #[prost(message, tag = "6")]
    Failure(Failure),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Run {
    #[prost(uint32, tag = "11")]
    pub(super) result_completion_id: u32,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

/// `AttachInvocation` and `GetInvocationOutput`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Attach {
    #[prost(oneof = "AttachTarget", tags = "1, 3, 4")]
    pub(super) target: Option<AttachTarget>,
    #[prost(uint32, tag = "11")]
    pub(super) result_completion_id: u32,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum AttachTarget {
    #[prost(string, tag = "1")]
    InvocationId(String),
    #[prost(message, tag = "3")]
    IdempotentRequest(IdempotentRequestTarget),
    #[prost(message, tag = "4")]
    Workflow(WorkflowTarget),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CompleteAwakeable {
    #[prost(string, tag = "1")]
    pub(super) awakeable_id: String,
    #[prost(oneof = "Completion", tags = "2, 3")]
    pub(super) result: Option<Completion>,
    #[prost(string, tag = "12")]
    pub(super) name: String,
}
