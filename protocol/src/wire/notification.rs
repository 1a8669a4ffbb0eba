//! Notifications: conversion between the domain types and entries. All kinds share one protobuf
//! message; the type code tells them apart.

use prost::Message;

use super::{MessageType, WireError, messages};
use crate::{
    ProtocolVersion, TerminalFailure,
    journal::{
        CompletionId, Entry, Notification, NotificationId, NotificationKind, NotificationResult,
        notification::SignalId,
    },
};

/// Encodes a notification as a journal entry. Below V6 the metadata of failures is dropped, since
/// an SDK of that version would not understand it.
pub fn encode(notification: &Notification, version: ProtocolVersion) -> Entry {
    let id = match &notification.id {
        NotificationId::Completion(id) => messages::NotificationId::Completion(*id),
        NotificationId::Signal(SignalId::Index(index)) => messages::NotificationId::Signal(*index),
        NotificationId::Signal(SignalId::Name(name)) => {
            messages::NotificationId::NamedSignal(name.clone())
        }
    };
    let result = match &notification.result {
        NotificationResult::Void => messages::NotificationResult::Void(messages::Void {}),
        NotificationResult::Value(content) => {
            messages::NotificationResult::Value(messages::Value { content: content.clone() })
        }
        NotificationResult::Failure(failure) => {
            messages::NotificationResult::Failure(encode_failure(failure, version))
        }
        NotificationResult::InvocationId(id) => {
            messages::NotificationResult::InvocationId(id.clone())
        }
        NotificationResult::StateKeys(keys) => {
            messages::NotificationResult::StateKeys(messages::StateKeys { keys: keys.clone() })
        }
    };
    let message = messages::Notification { id: Some(id), result: Some(result) };
    Entry { ty: type_of(notification.kind), body: message.encode_to_vec().into() }
}

/// Decodes a notification.
///
/// # Errors
/// Returns an error if the entry is not a notification, or lacks its id or result.
pub fn decode(entry: &Entry) -> Result<Notification, WireError> {
    let ty = entry.ty;
    let kind = kind_of(ty).ok_or(WireError::UnexpectedType { ty, expected: "notification" })?;
    let message = super::command::read::<messages::Notification>(entry)?;
    let id = match message.id.ok_or(WireError::Missing { ty, part: "id" })? {
        messages::NotificationId::Completion(id) => NotificationId::Completion(id),
        messages::NotificationId::Signal(index) => NotificationId::Signal(SignalId::Index(index)),
        messages::NotificationId::NamedSignal(name) => NotificationId::Signal(SignalId::Name(name)),
    };
    let result = match message.result.ok_or(WireError::Missing { ty, part: "result" })? {
        messages::NotificationResult::Void(_) => NotificationResult::Void,
        messages::NotificationResult::Value(value) => NotificationResult::Value(value.content),
        messages::NotificationResult::Failure(failure) => {
            NotificationResult::Failure(decode_failure(failure))
        }
        messages::NotificationResult::InvocationId(id) => NotificationResult::InvocationId(id),
        messages::NotificationResult::StateKeys(keys) => NotificationResult::StateKeys(keys.keys),
    };
    Ok(Notification { kind, id, result })
}

/// The completion id of a notification, without decoding the rest; `None` for signals.
pub fn completion_id(entry: &Entry) -> Option<CompletionId> {
    messages::CompletionIdOnly::decode(entry.body.clone()).ok()?.completion_id
}

pub(super) fn encode_failure(
    failure: &TerminalFailure,
    version: ProtocolVersion,
) -> messages::Failure {
    let metadata = if version.has_failure_metadata() { &failure.metadata[..] } else { &[] };
    messages::Failure {
        code: failure.code,
        message: failure.message.clone(),
        metadata: metadata
            .iter()
            .map(|(key, value)| messages::Pair { key: key.clone(), value: value.clone() })
            .collect(),
    }
}

pub(super) fn decode_failure(failure: messages::Failure) -> TerminalFailure {
    TerminalFailure {
        code: failure.code,
        message: failure.message,
        metadata: failure.metadata.into_iter().map(|pair| (pair.key, pair.value)).collect(),
    }
}

const KINDS: [(NotificationKind, MessageType); 12] = [
    (NotificationKind::GetLazyState, MessageType::GET_LAZY_STATE_COMPLETION),
    (NotificationKind::GetLazyStateKeys, MessageType::GET_LAZY_STATE_KEYS_COMPLETION),
    (NotificationKind::GetPromise, MessageType::GET_PROMISE_COMPLETION),
    (NotificationKind::PeekPromise, MessageType::PEEK_PROMISE_COMPLETION),
    (NotificationKind::CompletePromise, MessageType::COMPLETE_PROMISE_COMPLETION),
    (NotificationKind::Sleep, MessageType::SLEEP_COMPLETION),
    (NotificationKind::CallInvocationId, MessageType::CALL_INVOCATION_ID_COMPLETION),
    (NotificationKind::Call, MessageType::CALL_COMPLETION),
    (NotificationKind::Run, MessageType::RUN_COMPLETION),
    (NotificationKind::AttachInvocation, MessageType::ATTACH_INVOCATION_COMPLETION),
    (NotificationKind::GetInvocationOutput, MessageType::GET_INVOCATION_OUTPUT_COMPLETION),
    (NotificationKind::Signal, MessageType::SIGNAL_NOTIFICATION),
];

/// The message type of a kind of notification.
pub fn type_of(kind: NotificationKind) -> MessageType {
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    // INVARIANT: the table contains every kind.
    known.map_or(MessageType::SIGNAL_NOTIFICATION, |(_, ty)| *ty)
}

fn kind_of(ty: MessageType) -> Option<NotificationKind> {
    KINDS.iter().find(|(_, known)| *known == ty).map(|(kind, _)| *kind)
}
