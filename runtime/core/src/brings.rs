//! What events of a few bytes can bring: rows that their records read and store again.

use protocol::journal::Command;

use crate::{
    event::Event,
    model::ids::{AttemptRef, Lsn},
    tables::Tables,
};

impl Event {
    /// Estimates the bytes that the event's record stores in addition to its payload, because it
    /// copies them from other rows.
    pub fn brings_bytes(&self, tables: &Tables<'_>) -> usize {
        match self {
            Self::CommandProposed { attempt, command, .. } => {
                of_command(tables, *attempt, command.command())
            }
            // Its output becomes its result.
            Self::AttemptEnded { attempt } => journal_bytes(tables, attempt.invocation),
            Self::ResultDue { of } => tables.shared_result_bytes(*of),
            // Each stores its payload, and rows of a fixed size.
            Self::Invoked(_)
            | Self::Produced { .. }
            | Self::DeploymentPinned { .. }
            | Self::TimedCommandProposed { .. }
            | Self::RunProposed { .. }
            | Self::AttemptSuspended { .. }
            | Self::AttemptFailed { .. }
            | Self::TimerFired { .. }
            | Self::SignalReceived { .. }
            | Self::SignalRequested { .. }
            | Self::CancelRequested { .. }
            | Self::KillRequested { .. }
            | Self::MessageReceived { .. }
            | Self::MessagesAcknowledged { .. }
            | Self::RetentionDue { .. }
            | Self::CleanupDue { .. }
            | Self::PurgeRequested { .. }
            | Self::DeploymentRegistered { .. }
            | Self::DeploymentOffered { .. }
            | Self::DeploymentRemoved { .. } => 0,
        }
    }

    /// Whether what the event brings can only be learned from the rows that it copies.
    pub fn copies_rows(&self) -> bool {
        match self {
            Self::CommandProposed { command, .. } => matches!(
                command.command(),
                Command::GetLazyState { .. }
                    | Command::GetPromise { .. }
                    | Command::PeekPromise { .. }
            ),
            Self::ResultDue { .. } => true,
            Self::AttemptEnded { .. }
            | Self::Invoked(_)
            | Self::Produced { .. }
            | Self::DeploymentPinned { .. }
            | Self::TimedCommandProposed { .. }
            | Self::RunProposed { .. }
            | Self::AttemptSuspended { .. }
            | Self::AttemptFailed { .. }
            | Self::TimerFired { .. }
            | Self::SignalReceived { .. }
            | Self::SignalRequested { .. }
            | Self::CancelRequested { .. }
            | Self::KillRequested { .. }
            | Self::MessageReceived { .. }
            | Self::MessagesAcknowledged { .. }
            | Self::RetentionDue { .. }
            | Self::CleanupDue { .. }
            | Self::PurgeRequested { .. }
            | Self::DeploymentRegistered { .. }
            | Self::DeploymentOffered { .. }
            | Self::DeploymentRemoved { .. } => false,
        }
    }

    /// The attempt that proposed the event; `None` if it was not proposed by an attempt. Events of
    /// one attempt are applied in order.
    pub fn attempt(&self) -> Option<AttemptRef> {
        match self {
            Self::DeploymentPinned { attempt, .. }
            | Self::CommandProposed { attempt, .. }
            | Self::TimedCommandProposed { attempt, .. }
            | Self::RunProposed { attempt, .. }
            | Self::AttemptSuspended { attempt, .. }
            | Self::AttemptEnded { attempt }
            | Self::AttemptFailed { attempt, .. } => Some(*attempt),
            Self::Invoked(_)
            | Self::Produced { .. }
            | Self::TimerFired { .. }
            | Self::SignalReceived { .. }
            | Self::SignalRequested { .. }
            | Self::CancelRequested { .. }
            | Self::KillRequested { .. }
            | Self::MessageReceived { .. }
            | Self::MessagesAcknowledged { .. }
            | Self::RetentionDue { .. }
            | Self::CleanupDue { .. }
            | Self::PurgeRequested { .. }
            | Self::DeploymentRegistered { .. }
            | Self::DeploymentOffered { .. }
            | Self::DeploymentRemoved { .. }
            | Self::ResultDue { .. } => None,
        }
    }
}

fn of_command(tables: &Tables<'_>, attempt: AttemptRef, command: &Command) -> usize {
    let object = || tables.invocation(attempt.invocation).map(|invocation| invocation.target);
    match command {
        Command::GetLazyState { key, .. } => {
            object().map_or(0, |target| tables.state_bytes(&target.service, &target.key, key))
        }
        Command::GetPromise { key: name, .. } | Command::PeekPromise { key: name, .. } => {
            object().map_or(0, |target| tables.promise_bytes(&target.service, &target.key, name))
        }
        // Each stores its payload. The keys of a state are few and small, and a large result is
        // passed on later ([`Event::ResultDue`]).
        Command::Input { .. }
        | Command::Output { .. }
        | Command::SetState { .. }
        | Command::ClearState { .. }
        | Command::ClearAllState
        | Command::GetLazyStateKeys { .. }
        | Command::GetEagerState { .. }
        | Command::GetEagerStateKeys { .. }
        | Command::CompletePromise { .. }
        | Command::AttachInvocation { .. }
        | Command::GetInvocationOutput { .. }
        | Command::Sleep { .. }
        | Command::Call { .. }
        | Command::OneWayCall { .. }
        | Command::SendSignal { .. }
        | Command::Run { .. }
        | Command::CompleteAwakeable { .. } => 0,
    }
}

fn journal_bytes(tables: &Tables<'_>, lsn: Lsn) -> usize {
    let bytes = tables.invocation(lsn).map_or(0, |invocation| invocation.journal_bytes);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
