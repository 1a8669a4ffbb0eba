//! How much memory an event holds on to: what bounds of bytes count.

use bytes::Bytes;
use protocol::{TerminalFailure, journal::NotificationResult};

use crate::{
    event::Event,
    model::{
        invocation::{AttemptFailure, Invoke},
        message::Message,
    },
};

impl Event {
    /// Estimate of the bytes behind the event that a client, an SDK or a peer chose the length of.
    /// Its record takes about as many; what every event has beside them is the caller's to add.
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Invoked(invoke) | Self::Produced { invoke, .. } => of_invoke(invoke),
            Self::CommandProposed { command, .. } | Self::TimedCommandProposed { command, .. } => {
                command.entry().body.len()
            }
            Self::RunProposed { result, .. } => of_result(result),
            Self::AttemptFailed { failure, .. } => of_attempt_failure(failure),
            Self::SignalReceived { result, .. } | Self::SignalRequested { result, .. } => {
                of_notification(result)
            }
            Self::MessageReceived { message, .. } => of_message(message),
            Self::AttemptSuspended { awaiting, .. } => awaiting.size() * AWAITING_NODE_BYTES,
            Self::DeploymentRegistered { .. } | Self::DeploymentOffered { .. } => DEPLOYMENT_BYTES,
            Self::DeploymentPinned { .. }
            | Self::AttemptEnded { .. }
            | Self::TimerFired { .. }
            | Self::CancelRequested { .. }
            | Self::KillRequested { .. }
            | Self::PurgeRequested { .. }
            | Self::MessagesAcknowledged { .. }
            | Self::RetentionDue { .. }
            | Self::CleanupDue { .. }
            | Self::DeploymentRemoved { .. } => 0,
        }
    }
}

/// A leaf or node of a tree of what is waited for, in memory.
const AWAITING_NODE_BYTES: usize = 32;

/// A deployment with a service of a few handlers and their schemas.
const DEPLOYMENT_BYTES: usize = 16 * 1024;

fn of_invoke(invoke: &Invoke) -> usize {
    invoke.input.body.len()
        + invoke.target.key.len()
        + invoke.idempotency_key.as_ref().map_or(0, String::len)
}

pub(crate) fn of_message(message: &Message) -> usize {
    match message {
        Message::Invoke(invoke) => of_invoke(invoke),
        Message::Notify { notification, .. } => of_notification(&notification.result),
        Message::Signal { result, .. } => of_notification(result),
        Message::Attach { .. }
        | Message::Detach { .. }
        | Message::Kill { .. }
        | Message::KillCallee { .. } => 0,
    }
}

fn of_notification(result: &NotificationResult) -> usize {
    match result {
        NotificationResult::Void => 0,
        NotificationResult::Value(value) => value.len(),
        NotificationResult::Failure(failure) => of_failure(failure),
        NotificationResult::InvocationId(id) => id.len(),
        NotificationResult::StateKeys(keys) => keys.iter().map(Bytes::len).sum(),
    }
}

pub(crate) fn of_result(result: &Result<Bytes, TerminalFailure>) -> usize {
    match result {
        Ok(value) => value.len(),
        Err(failure) => of_failure(failure),
    }
}

fn of_failure(failure: &TerminalFailure) -> usize {
    let metadata = failure.metadata.iter().map(|(key, value)| key.len() + value.len());
    failure.message.len() + metadata.sum::<usize>()
}

pub(crate) fn of_attempt_failure(failure: &AttemptFailure) -> usize {
    failure.message.len() + failure.stacktrace.len()
}
