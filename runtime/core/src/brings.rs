//! What events of a few bytes can bring: rows that their records read and store again.

use bytes::Bytes;
use protocol::{InvocationId, journal::Command};

use crate::{
    event::Event,
    invocation::restart::PREFIX_BYTES_MAX,
    model::{ids::Lsn, operation::Operation},
    tables::Tables,
};

/// What an event's record stores in addition to the event's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brings<'a> {
    /// Rows of a fixed size.
    Nothing,
    /// The output of an invocation, which becomes its result.
    Output(Lsn),
    /// A value from the state of an invocation's object or workflow.
    State(Lsn, &'a Bytes),
    /// A promise of an invocation's workflow.
    Promise(Lsn, &'a str),
    /// A result that is being passed on.
    Result(Lsn),
    /// A prefix of the journal of an invocation that is restarted.
    Prefix(InvocationId),
}

impl Event {
    /// What the event's record copies from other rows.
    pub fn brings(&self) -> Brings<'_> {
        match self {
            Self::CommandProposed { attempt, command, .. } => {
                of_command(attempt.invocation, command.command())
            }
            Self::AttemptEnded { attempt } => Brings::Output(attempt.invocation),
            Self::ResultDue { of } => Brings::Result(*of),
            Self::OperationRequested { target, operation: Operation::RestartAsNew(_), .. } => {
                Brings::Prefix(*target)
            }
            Self::Invoked(_)
            | Self::Produced { .. }
            | Self::DeploymentPinned { .. }
            | Self::TimedCommandProposed { .. }
            | Self::RunProposed { .. }
            | Self::AttemptSuspended { .. }
            | Self::AttemptFailed { .. }
            | Self::AttemptFailedOn { .. }
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
            | Self::OperationRequested { .. }
            | Self::StateEditRequested { .. }
            | Self::DeploymentRegistered { .. }
            | Self::DeploymentOffered { .. }
            | Self::DeploymentUpdated { .. }
            | Self::ServiceConfigured { .. }
            | Self::RegistryChangeRequested { .. }
            | Self::DeploymentRemoved { .. } => Brings::Nothing,
        }
    }
}

/// What a command's record copies. The keys of a state are few and small, and a large result is
/// passed on later ([`Event::ResultDue`]).
fn of_command(invocation: Lsn, command: &Command) -> Brings<'_> {
    match command {
        Command::GetLazyState { key, .. } => Brings::State(invocation, key),
        Command::GetPromise { key: name, .. } | Command::PeekPromise { key: name, .. } => {
            Brings::Promise(invocation, name)
        }
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
        | Command::CompleteAwakeable { .. } => Brings::Nothing,
    }
}

impl Brings<'_> {
    /// Whether its size can only be learned from the row itself, all of which is read for that.
    pub fn is_read_whole(self) -> bool {
        matches!(self, Self::State(..) | Self::Promise(..) | Self::Result(_))
    }

    /// Estimate of its size, in bytes.
    pub fn bytes(self, tables: &Tables<'_>) -> usize {
        match self {
            Self::Nothing => 0,
            // Not more than the journal, whose size is in the invocation's row.
            Self::Output(lsn) => tables
                .invocation(lsn)
                .map_or(0, |row| usize::try_from(row.journal_bytes).unwrap_or(usize::MAX)),
            Self::State(lsn, key) => tables
                .invocation(lsn)
                .map_or(0, |row| tables.state_bytes(&row.target.service, &row.target.key, key)),
            Self::Promise(lsn, name) => tables
                .invocation(lsn)
                .map_or(0, |row| tables.promise_bytes(&row.target.service, &row.target.key, name)),
            Self::Result(of) => tables.shared_result_bytes(of),
            // Not more than the journal, of which not more than this is copied.
            Self::Prefix(id) => {
                let row = tables.invocation_lsn(id).and_then(|lsn| tables.invocation(lsn));
                let bytes = row.map_or(0, |row| row.journal_bytes.min(PREFIX_BYTES_MAX));
                usize::try_from(bytes).unwrap_or(usize::MAX)
            }
        }
    }
}
