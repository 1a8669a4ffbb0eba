//! Commands: conversion between the domain types and entries.

use bytes::Bytes;
use prost::{
    Message,
    encoding::{DecodeContext, decode_key, skip_field, uint32},
};

use super::{
    MessageType, WireError, messages,
    notification::{decode_failure, encode_failure},
};
use crate::{
    ProtocolVersion, TerminalFailure,
    journal::{
        CallRequest, Command, CompletionId, Entry, InvocationTarget, NamedCommand,
        NotificationResult, notification::SignalId,
    },
};

/// Encodes a command as a journal entry.
pub fn encode(named: &NamedCommand, version: ProtocolVersion) -> Entry {
    let name = named.name.clone();
    match &named.command {
        Command::Input { headers, value } => write(
            MessageType::INPUT_COMMAND,
            &messages::Input { headers: pairs(headers), value: Some(wrap(value)), name },
        ),
        Command::Output { result } => {
            let result = Some(match result {
                Ok(value) => messages::OutputResult::Value(wrap(value)),
                Err(failure) => messages::OutputResult::Failure(encode_failure(failure, version)),
            });
            write(MessageType::OUTPUT_COMMAND, &messages::Output { result, name })
        }
        Command::GetLazyState { key, completion } => write(
            MessageType::GET_LAZY_STATE_COMMAND,
            &messages::GetLazyState { key: key.clone(), result_completion_id: *completion, name },
        ),
        Command::SetState { key, value } => write(
            MessageType::SET_STATE_COMMAND,
            &messages::SetState { key: key.clone(), value: Some(wrap(value)), name },
        ),
        Command::ClearState { key } => write(
            MessageType::CLEAR_STATE_COMMAND,
            &messages::ClearState { key: key.clone(), name },
        ),
        Command::ClearAllState => {
            write(MessageType::CLEAR_ALL_STATE_COMMAND, &messages::ClearAllState { name })
        }
        Command::GetLazyStateKeys { completion } => write(
            MessageType::GET_LAZY_STATE_KEYS_COMMAND,
            &messages::GetLazyStateKeys { result_completion_id: *completion, name },
        ),
        Command::GetEagerState { key, value } => {
            let result = Some(match value {
                Some(value) => messages::EagerState::Value(wrap(value)),
                None => messages::EagerState::Void(messages::Void {}),
            });
            write(
                MessageType::GET_EAGER_STATE_COMMAND,
                &messages::GetEagerState { key: key.clone(), result, name },
            )
        }
        Command::GetEagerStateKeys { keys } => write(
            MessageType::GET_EAGER_STATE_KEYS_COMMAND,
            &messages::GetEagerStateKeys {
                value: Some(messages::StateKeys { keys: keys.clone() }),
                name,
            },
        ),
        Command::GetPromise { key, completion } => write(
            MessageType::GET_PROMISE_COMMAND,
            &messages::Promise { key: key.clone(), result_completion_id: *completion, name },
        ),
        Command::PeekPromise { key, completion } => write(
            MessageType::PEEK_PROMISE_COMMAND,
            &messages::Promise { key: key.clone(), result_completion_id: *completion, name },
        ),
        Command::CompletePromise { key, result, completion } => write(
            MessageType::COMPLETE_PROMISE_COMMAND,
            &messages::CompletePromise {
                key: key.clone(),
                completion: Some(encode_completion(result, version)),
                result_completion_id: *completion,
                name,
            },
        ),
        Command::Sleep { wake_up_time_ms, completion } => write(
            MessageType::SLEEP_COMMAND,
            &messages::Sleep {
                wake_up_time: *wake_up_time_ms,
                result_completion_id: *completion,
                name,
            },
        ),
        Command::Call { request, invocation_id_completion, result_completion } => write(
            MessageType::CALL_COMMAND,
            &messages::Call {
                service_name: request.service.clone(),
                handler_name: request.handler.clone(),
                parameter: request.parameter.clone(),
                headers: pairs(&request.headers),
                key: request.key.clone(),
                idempotency_key: request.idempotency_key.clone(),
                scope: request.scope.clone(),
                limit_key: request.limit_key.clone(),
                invocation_id_notification_idx: *invocation_id_completion,
                result_completion_id: *result_completion,
                name,
            },
        ),
        Command::OneWayCall { request, invoke_time_ms, invocation_id_completion } => write(
            MessageType::ONE_WAY_CALL_COMMAND,
            &messages::OneWayCall {
                service_name: request.service.clone(),
                handler_name: request.handler.clone(),
                parameter: request.parameter.clone(),
                invoke_time: *invoke_time_ms,
                headers: pairs(&request.headers),
                key: request.key.clone(),
                idempotency_key: request.idempotency_key.clone(),
                scope: request.scope.clone(),
                limit_key: request.limit_key.clone(),
                invocation_id_notification_idx: *invocation_id_completion,
                name,
            },
        ),
        Command::SendSignal { target, signal, result } => write(
            MessageType::SEND_SIGNAL_COMMAND,
            &messages::SendSignal {
                target_invocation_id: target.clone(),
                signal: Some(match signal {
                    SignalId::Index(index) => messages::SignalName::Index(*index),
                    SignalId::Name(name) => messages::SignalName::Name(name.clone()),
                }),
                result: Some(encode_signal(result, version)),
                entry_name: name,
            },
        ),
        Command::Run { completion } => write(
            MessageType::RUN_COMMAND,
            &messages::Run { result_completion_id: *completion, name },
        ),
        Command::AttachInvocation { target, completion } => write(
            MessageType::ATTACH_INVOCATION_COMMAND,
            &messages::Attach {
                target: Some(encode_target(target)),
                result_completion_id: *completion,
                name,
            },
        ),
        Command::GetInvocationOutput { target, completion } => write(
            MessageType::GET_INVOCATION_OUTPUT_COMMAND,
            &messages::Attach {
                target: Some(encode_target(target)),
                result_completion_id: *completion,
                name,
            },
        ),
        Command::CompleteAwakeable { id, result } => write(
            MessageType::COMPLETE_AWAKEABLE_COMMAND,
            &messages::CompleteAwakeable {
                awakeable_id: id.clone(),
                result: Some(encode_completion(result, version)),
                name,
            },
        ),
    }
}

/// Decodes a command. Payloads are slices of the entry's bytes.
///
/// # Errors
/// Returns an error if the entry is not a command, or lacks something that the protocol requires.
pub fn decode(entry: &Entry) -> Result<NamedCommand, WireError> {
    let ty = entry.ty;
    let missing = |part| move || WireError::Missing { ty, part };
    let (name, command) = match ty {
        MessageType::INPUT_COMMAND => {
            let message: messages::Input = read(entry)?;
            let value = message.value.unwrap_or_default().content;
            (message.name, Command::Input { headers: unpair(message.headers), value })
        }
        MessageType::OUTPUT_COMMAND => {
            let message: messages::Output = read(entry)?;
            let result = match message.result.ok_or_else(missing("result"))? {
                messages::OutputResult::Value(value) => Ok(value.content),
                messages::OutputResult::Failure(failure) => Err(decode_failure(failure)),
            };
            (message.name, Command::Output { result })
        }
        MessageType::GET_LAZY_STATE_COMMAND => {
            let message: messages::GetLazyState = read(entry)?;
            let completion = message.result_completion_id;
            (message.name, Command::GetLazyState { key: message.key, completion })
        }
        MessageType::SET_STATE_COMMAND => {
            let message: messages::SetState = read(entry)?;
            let value = message.value.ok_or_else(missing("value"))?.content;
            (message.name, Command::SetState { key: message.key, value })
        }
        MessageType::CLEAR_STATE_COMMAND => {
            let message: messages::ClearState = read(entry)?;
            (message.name, Command::ClearState { key: message.key })
        }
        MessageType::CLEAR_ALL_STATE_COMMAND => {
            let message: messages::ClearAllState = read(entry)?;
            (message.name, Command::ClearAllState)
        }
        MessageType::GET_LAZY_STATE_KEYS_COMMAND => {
            let message: messages::GetLazyStateKeys = read(entry)?;
            let completion = message.result_completion_id;
            (message.name, Command::GetLazyStateKeys { completion })
        }
        MessageType::GET_EAGER_STATE_COMMAND => {
            let message: messages::GetEagerState = read(entry)?;
            let value = match message.result.ok_or_else(missing("result"))? {
                messages::EagerState::Void(_) => None,
                messages::EagerState::Value(value) => Some(value.content),
            };
            (message.name, Command::GetEagerState { key: message.key, value })
        }
        MessageType::GET_EAGER_STATE_KEYS_COMMAND => {
            let message: messages::GetEagerStateKeys = read(entry)?;
            let keys = message.value.ok_or_else(missing("keys"))?.keys;
            (message.name, Command::GetEagerStateKeys { keys })
        }
        MessageType::GET_PROMISE_COMMAND => {
            let message: messages::Promise = read(entry)?;
            let completion = message.result_completion_id;
            (message.name, Command::GetPromise { key: message.key, completion })
        }
        MessageType::PEEK_PROMISE_COMMAND => {
            let message: messages::Promise = read(entry)?;
            let completion = message.result_completion_id;
            (message.name, Command::PeekPromise { key: message.key, completion })
        }
        MessageType::COMPLETE_PROMISE_COMMAND => {
            let message: messages::CompletePromise = read(entry)?;
            let result = decode_completion(message.completion.ok_or_else(missing("completion"))?);
            let completion = message.result_completion_id;
            (message.name, Command::CompletePromise { key: message.key, result, completion })
        }
        MessageType::SLEEP_COMMAND => {
            let message: messages::Sleep = read(entry)?;
            let (wake_up_time_ms, completion) =
                (message.wake_up_time, message.result_completion_id);
            (message.name, Command::Sleep { wake_up_time_ms, completion })
        }
        MessageType::CALL_COMMAND => {
            let message: messages::Call = read(entry)?;
            let request = CallRequest {
                service: message.service_name,
                handler: message.handler_name,
                key: message.key,
                parameter: message.parameter,
                headers: unpair(message.headers),
                idempotency_key: message.idempotency_key,
                scope: message.scope,
                limit_key: message.limit_key,
            };
            let invocation_id_completion = message.invocation_id_notification_idx;
            let result_completion = message.result_completion_id;
            (message.name, Command::Call { request, invocation_id_completion, result_completion })
        }
        MessageType::ONE_WAY_CALL_COMMAND => {
            let message: messages::OneWayCall = read(entry)?;
            let request = CallRequest {
                service: message.service_name,
                handler: message.handler_name,
                key: message.key,
                parameter: message.parameter,
                headers: unpair(message.headers),
                idempotency_key: message.idempotency_key,
                scope: message.scope,
                limit_key: message.limit_key,
            };
            let invocation_id_completion = message.invocation_id_notification_idx;
            let invoke_time_ms = message.invoke_time;
            let command = Command::OneWayCall { request, invoke_time_ms, invocation_id_completion };
            (message.name, command)
        }
        MessageType::SEND_SIGNAL_COMMAND => {
            let message: messages::SendSignal = read(entry)?;
            let signal = match message.signal.ok_or_else(missing("signal"))? {
                messages::SignalName::Index(index) => SignalId::Index(index),
                messages::SignalName::Name(name) => SignalId::Name(name),
            };
            let result = match message.result.ok_or_else(missing("result"))? {
                messages::SignalResult::Void(_) => NotificationResult::Void,
                messages::SignalResult::Value(value) => NotificationResult::Value(value.content),
                messages::SignalResult::Failure(failure) => {
                    NotificationResult::Failure(decode_failure(failure))
                }
            };
            let target = message.target_invocation_id;
            (message.entry_name, Command::SendSignal { target, signal, result })
        }
        MessageType::RUN_COMMAND => {
            let message: messages::Run = read(entry)?;
            (message.name, Command::Run { completion: message.result_completion_id })
        }
        MessageType::ATTACH_INVOCATION_COMMAND => {
            let message: messages::Attach = read(entry)?;
            let target = decode_target(message.target.ok_or_else(missing("target"))?);
            let completion = message.result_completion_id;
            (message.name, Command::AttachInvocation { target, completion })
        }
        MessageType::GET_INVOCATION_OUTPUT_COMMAND => {
            let message: messages::Attach = read(entry)?;
            let target = decode_target(message.target.ok_or_else(missing("target"))?);
            let completion = message.result_completion_id;
            (message.name, Command::GetInvocationOutput { target, completion })
        }
        MessageType::COMPLETE_AWAKEABLE_COMMAND => {
            let message: messages::CompleteAwakeable = read(entry)?;
            let result = decode_completion(message.result.ok_or_else(missing("result"))?);
            (message.name, Command::CompleteAwakeable { id: message.awakeable_id, result })
        }
        ty => return Err(WireError::UnexpectedType { ty, expected: "command" }),
    };
    Ok(NamedCommand { name, command })
}

/// The completion ids of a command, without decoding the rest of it: the one for its callee's id
/// and the one for its result.
pub fn completions(entry: &Entry) -> [Option<CompletionId>; 2] {
    let (has_callee, has_result) = match entry.ty {
        MessageType::CALL_COMMAND => (true, true),
        MessageType::ONE_WAY_CALL_COMMAND => (true, false),
        MessageType::GET_LAZY_STATE_COMMAND
        | MessageType::GET_LAZY_STATE_KEYS_COMMAND
        | MessageType::GET_PROMISE_COMMAND
        | MessageType::PEEK_PROMISE_COMMAND
        | MessageType::COMPLETE_PROMISE_COMMAND
        | MessageType::SLEEP_COMMAND
        | MessageType::RUN_COMMAND
        | MessageType::ATTACH_INVOCATION_COMMAND
        | MessageType::GET_INVOCATION_OUTPUT_COMMAND => (false, true),
        _ => return [None, None],
    };
    // As in a full decode, an absent id is 0 and the last occurrence wins.
    let (mut callee, mut result) = (0, 0);
    let mut rest = &entry.body[..];
    while let Ok((tag, wire_type)) = decode_key(&mut rest) {
        let context = DecodeContext::default();
        let read = match tag {
            messages::CALLEE_ID_COMPLETION => {
                uint32::merge(wire_type, &mut callee, &mut rest, context)
            }
            messages::RESULT_COMPLETION => {
                uint32::merge(wire_type, &mut result, &mut rest, context)
            }
            _ => skip_field(wire_type, tag, &mut rest, context),
        };
        if read.is_err() {
            break;
        }
    }
    [has_callee.then_some(callee), has_result.then_some(result)]
}

/// Decodes the body of an entry, sharing its bytes.
pub(super) fn read<M: Message + Default>(entry: &Entry) -> Result<M, WireError> {
    M::decode(entry.body.clone())
        .map_err(|error| WireError::Malformed { ty: entry.ty, reason: error.to_string() })
}

fn write(ty: MessageType, message: &impl Message) -> Entry {
    Entry { ty, body: message.encode_to_vec().into() }
}

fn wrap(value: &Bytes) -> messages::Value {
    messages::Value { content: value.clone() }
}

fn pairs(headers: &[(String, String)]) -> Vec<messages::Pair> {
    let headers = headers.iter();
    headers.map(|(key, value)| messages::Pair { key: key.clone(), value: value.clone() }).collect()
}

fn unpair(headers: Vec<messages::Pair>) -> Vec<(String, String)> {
    headers.into_iter().map(|pair| (pair.key, pair.value)).collect()
}

fn encode_completion(
    result: &Result<Bytes, TerminalFailure>,
    version: ProtocolVersion,
) -> messages::Completion {
    match result {
        Ok(value) => messages::Completion::Value(wrap(value)),
        Err(failure) => messages::Completion::Failure(encode_failure(failure, version)),
    }
}

fn decode_completion(completion: messages::Completion) -> Result<Bytes, TerminalFailure> {
    match completion {
        messages::Completion::Value(value) => Ok(value.content),
        messages::Completion::Failure(failure) => Err(decode_failure(failure)),
    }
}

/// A signal carries nothing, a value or a failure; only the runtime produces the other results.
fn encode_signal(result: &NotificationResult, version: ProtocolVersion) -> messages::SignalResult {
    match result {
        NotificationResult::Value(value) => messages::SignalResult::Value(wrap(value)),
        NotificationResult::Failure(failure) => {
            messages::SignalResult::Failure(encode_failure(failure, version))
        }
        NotificationResult::Void
        | NotificationResult::InvocationId(_)
        | NotificationResult::StateKeys(_) => messages::SignalResult::Void(messages::Void {}),
    }
}

fn encode_target(target: &InvocationTarget) -> messages::AttachTarget {
    match target {
        InvocationTarget::Id(id) => messages::AttachTarget::InvocationId(id.clone()),
        InvocationTarget::Idempotent { service, key, handler, idempotency_key, scope } => {
            messages::AttachTarget::IdempotentRequest(messages::IdempotentRequestTarget {
                service_name: service.clone(),
                service_key: (!key.is_empty()).then(|| key.clone()),
                handler_name: handler.clone(),
                idempotency_key: idempotency_key.clone(),
                scope: scope.clone(),
            })
        }
        InvocationTarget::Workflow { name, key, scope } => {
            messages::AttachTarget::Workflow(messages::WorkflowTarget {
                workflow_name: name.clone(),
                workflow_key: key.clone(),
                scope: scope.clone(),
            })
        }
    }
}

fn decode_target(target: messages::AttachTarget) -> InvocationTarget {
    match target {
        messages::AttachTarget::InvocationId(id) => InvocationTarget::Id(id),
        messages::AttachTarget::IdempotentRequest(target) => InvocationTarget::Idempotent {
            service: target.service_name,
            key: target.service_key.unwrap_or_default(),
            handler: target.handler_name,
            idempotency_key: target.idempotency_key,
            scope: target.scope,
        },
        messages::AttachTarget::Workflow(target) => InvocationTarget::Workflow {
            name: target.workflow_name,
            key: target.workflow_key,
            scope: target.scope,
        },
    }
}
