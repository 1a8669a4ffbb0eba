//! How much memory an event or an effect keeps alive, for limits that count bytes.

use bytes::Bytes;
use protocol::{TerminalFailure, journal::NotificationResult};

use crate::{
    effect::{Answer, Effect, StartAttempt},
    event::Event,
    model::{
        incident::{Happened, Incident},
        invocation::{AttemptFailure, Invoke},
        message::Message,
        operator::Operator,
        registry_change::{AuditedChange, ChangedFact, FactValue, RegistryChange, Stranded},
        state_edit::{AuditedEdit, Sample, StateChange, StateEdit},
    },
};

/// What an incident takes besides its texts, in bytes: an estimate.
const INCIDENT_OVERHEAD_BYTES: u64 = 200;

impl Event {
    /// Estimates the bytes in the event whose length a client, an SDK or a peer chose. Its record
    /// takes about that many; the caller adds the fixed overhead that every event has.
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Invoked(invoke) | Self::Produced { invoke, .. } => of_invoke(invoke),
            Self::CommandProposed { command, .. } | Self::TimedCommandProposed { command, .. } => {
                command.entry().body.len()
            }
            Self::RunProposed { result, .. } => of_result(result),
            Self::AttemptFailed { failure, .. } | Self::AttemptFailedOn { failure, .. } => {
                of_attempt_failure(failure)
            }
            Self::SignalReceived { result, .. } | Self::SignalRequested { result, .. } => {
                of_notification(result)
            }
            Self::MessageReceived { message, .. } => of_message(message),
            Self::AttemptSuspended { awaiting, .. } => awaiting.size() * AWAITING_NODE_BYTES,
            Self::DeploymentRegistered { .. }
            | Self::DeploymentOffered { .. }
            | Self::DeploymentUpdated { .. } => DEPLOYMENT_BYTES,
            Self::ServiceConfigured { service, .. } => service.len(),
            Self::OperationRequested { operator, .. } => of_operator(operator),
            Self::RegistryChangeRequested { operator, change, .. } => {
                of_operator(operator) + of_registry_change(change)
            }
            Self::StateEditRequested { operator, edit, .. } => {
                of_operator(operator) + of_state_edit(edit)
            }
            Self::DeploymentPinned { .. }
            | Self::AttemptEnded { .. }
            | Self::TimerFired { .. }
            | Self::CancelRequested { .. }
            | Self::KillRequested { .. }
            | Self::PurgeRequested { .. }
            | Self::MessagesAcknowledged { .. }
            | Self::RetentionDue { .. }
            | Self::CleanupDue { .. }
            | Self::DeploymentRemoved { .. }
            | Self::ResultDue { .. } => 0,
        }
    }
}

impl StartAttempt {
    /// The bytes of its journal and state.
    pub fn bytes(&self) -> usize {
        let journal = self.journal.iter().map(|entry| entry.body.len());
        let state = self.state.iter().map(|(key, value)| key.len() + value.len());
        journal.chain(state).sum()
    }
}

impl Effect {
    /// Estimates the bytes that the effect keeps in memory until it is carried out, most of which
    /// were read from rows.
    pub fn bytes(&self) -> usize {
        match self {
            Self::StartAttempt(start) => start.bytes(),
            Self::SendNotification { entry, .. } => entry.body.len(),
            Self::Send { message, .. } => of_message(message),
            Self::Completed { completion, .. }
            | Self::Answer { answer: Answer::Completed { completion, .. }, .. } => {
                of_result(&completion.result)
            }
            Self::Answer { .. }
            | Self::OfferAttempt { .. }
            | Self::AbortAttempt { .. }
            | Self::SuspendAttempt { .. }
            | Self::ArmTimer { .. }
            | Self::ResultDue { .. }
            | Self::ArmExpiry { .. }
            | Self::Acknowledge { .. }
            | Self::PublishRegistry => 0,
        }
    }
}

/// The in-memory size of a leaf or a node of an await tree.
const AWAITING_NODE_BYTES: usize = 32;

/// The size of a deployment with one service of a few handlers, schemas included.
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

pub(crate) fn of_notification(result: &NotificationResult) -> usize {
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

/// What it takes to keep an incident, in bytes.
pub(crate) fn of_incident(incident: &Incident) -> u64 {
    let texts = match &incident.what {
        Happened::AttemptFailed { failure, .. } => of_attempt_failure(failure),
        Happened::Paused { by } => by.as_ref().map_or(0, of_operator),
        Happened::Resumed { by, .. }
        | Happened::CancelRequested { by }
        | Happened::Killed { by }
        | Happened::RestartedAs { by, .. }
        | Happened::RestartedFrom { by, .. }
        | Happened::StateEditQueued { by } => of_operator(by),
    };
    INCIDENT_OVERHEAD_BYTES + texts as u64
}

pub(crate) fn of_operator(operator: &Operator) -> usize {
    operator.name.len() + operator.reason.as_ref().map_or(0, String::len)
}

pub(crate) fn of_state_edit(edit: &StateEdit) -> usize {
    let entry = |(key, value): &(Bytes, Bytes)| key.len() + value.len();
    let change = match &edit.change {
        StateChange::Replace(entries) => entries.iter().map(entry).sum::<usize>(),
        StateChange::Patch { set, clear } => {
            set.iter().map(entry).sum::<usize>() + clear.iter().map(Bytes::len).sum::<usize>()
        }
    };
    edit.service.len() + edit.key.len() + change
}

/// What it takes to keep an edit in the audit, in bytes.
pub(crate) fn of_audited_edit(audited: &AuditedEdit) -> usize {
    let names = audited.service.len() + audited.key.len() + of_operator(&audited.operator);
    let samples = audited.changes.iter().flat_map(|change| {
        [Some(&change.key), change.before.as_ref(), change.after.as_ref()].into_iter().flatten()
    });
    names + samples.map(Sample::kept_bytes).sum::<usize>()
}

fn of_registry_change(change: &RegistryChange) -> usize {
    match change {
        RegistryChange::Register { .. } | RegistryChange::Update { .. } => DEPLOYMENT_BYTES,
        RegistryChange::Configure { service, .. } => service.len(),
        RegistryChange::Remove { stranded, .. } => of_stranded(stranded),
    }
}

/// What it takes to keep a change of the registry in the audit, in bytes.
pub(crate) fn of_audited_change(audited: &AuditedChange) -> usize {
    let facts = audited.changes.iter().map(|fact| {
        let values = [&fact.before, &fact.after].into_iter().flatten();
        size_of::<ChangedFact>() + fact.key.len() + values.map(FactValue::kept_bytes).sum::<usize>()
    });
    of_operator(&audited.operator) + facts.sum::<usize>() + of_stranded(&audited.stranded)
}

fn of_stranded(stranded: &[Stranded]) -> usize {
    size_of_val(stranded) + stranded.iter().map(|it| it.service.len()).sum::<usize>()
}

pub(crate) fn of_attempt_failure(failure: &AttemptFailure) -> usize {
    failure.message.len() + failure.stacktrace.len()
}
