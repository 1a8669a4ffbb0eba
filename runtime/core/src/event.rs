//! Everything the log may contain, recorded as facts.
//!
//! An event's meaning never changes: today's binary folds the tail that yesterday's binary wrote.
//! Adding a field means adding a variant; variants are persisted by number and only ever appended.
//! A rule change that affects existing events applies only to records written under the new
//! [`Rules`].
//!
//! Events are decoded again on every fold, so decoding never becomes stricter: the Attempt rejects
//! invalid input at the edge, before it is proposed.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    DeploymentId, InvocationId, TerminalFailure,
    journal::{
        Awaiting, Command, CompletionId, Entry, EntryIndex, NamedCommand, NotificationResult,
        notification::SignalId,
    },
    wire,
};
use serde::{Deserialize, Serialize};

use crate::{
    model::{
        deployment::{Deployment, ServiceOptions},
        ids::{AttemptRef, Lsn, PartitionId, RequestId},
        invocation::{AfterFailure, AttemptFailure, Callee, Invoke, Pin},
        message::Message,
        operation::Operation,
        operator::Operator,
        registry_change::RegistryChange,
        state_edit::StateEdit,
        timer::TimerKey,
    },
    time::Stamp,
};

/// One element of a partition's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its position in the log.
    pub lsn: Lsn,
    /// When it was created, stamped once by the leader.
    pub stamp: Stamp,
    /// The rules it was first applied under, and is applied under on every later fold.
    pub rules: Rules,
    /// What happened.
    pub event: Event,
}

/// A fact that changes a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Event {
    /// A client requested an invocation.
    Invoked(Box<Invoke>),
    /// The first attempt chose the deployment and protocol version, which the invocation keeps.
    DeploymentPinned { attempt: AttemptRef, pin: Pin },
    /// The SDK issued the next journal command.
    CommandProposed { attempt: AttemptRef, command: ProposedCommand, callee: Option<Box<Callee>> },
    /// The SDK finished a side effect.
    RunProposed {
        attempt: AttemptRef,
        completion: CompletionId,
        result: Result<Bytes, TerminalFailure>,
    },
    /// The SDK cannot continue until something it waits for arrives.
    AttemptSuspended {
        attempt: AttemptRef,
        awaiting: Awaiting,
        /// How many journal entries the attempt was shown: it does not know any later ones.
        seen: EntryIndex,
    },
    /// The SDK ended the invocation; its Output command is in the journal.
    AttemptEnded { attempt: AttemptRef },
    /// The attempt failed. Superseded by [`Event::AttemptFailedOn`].
    AttemptFailed { attempt: AttemptRef, failure: AttemptFailure, next: AfterFailure },
    /// A timer is due.
    TimerFired { timer: TimerKey },
    /// A signal or an awakeable's completion arrived from outside.
    SignalReceived { target: InvocationId, signal: SignalId, result: NotificationResult },
    /// An operator asked to cancel an invocation.
    CancelRequested { request: RequestId, target: InvocationId },
    /// An operator asked to kill an invocation.
    KillRequested { request: RequestId, target: InvocationId },
    /// Another partition's message arrived.
    MessageReceived { from: PartitionId, sequence: u64, message: Message },
    /// Another partition has made all our messages up to `sequence` durable.
    MessagesAcknowledged { by: PartitionId, sequence: u64 },
    /// Finished invocations may be due for removal or exceed their space budget.
    RetentionDue {
        /// How many bytes finished invocations may occupy.
        budget_bytes: u64,
        /// How many invocations this record may remove.
        limit: u32,
    },
    /// A deployment was registered or re-registered, regardless of what else is registered.
    /// Superseded by [`Event::DeploymentOffered`].
    DeploymentRegistered { request: RequestId, deployment: Arc<Deployment> },
    /// A deployment was removed.
    DeploymentRemoved { request: RequestId, deployment: DeploymentId },
    /// The SDK issued the next journal command, which carries a time. The entry is stored as it was
    /// sent; what counts is `delay_ms`, how far that time lay ahead of the edge's wall clock when
    /// the frame arrived.
    TimedCommandProposed {
        attempt: AttemptRef,
        command: ProposedCommand,
        callee: Option<Box<Callee>>,
        delay_ms: u64,
    },
    /// A signal or an awakeable's completion arrived from outside, and the sender waits for the
    /// outcome.
    SignalRequested {
        request: RequestId,
        target: InvocationId,
        signal: SignalId,
        result: NotificationResult,
    },
    /// Finished invocations may be due for removal or exceed their space budget. Results promised
    /// by an idempotency key or a workflow are removed only when they expire; everything else may
    /// be removed earlier.
    CleanupDue {
        /// How many bytes finished invocations may occupy.
        budget_bytes: u64,
        /// How many removals this record may make.
        limit: u32,
    },
    /// An operator asked to register what an endpoint reported in discovery. The edge checked the
    /// registry beforehand, but discovery takes a while: what counts is what is registered when the
    /// record is applied.
    DeploymentOffered {
        request: RequestId,
        deployment: Arc<Deployment>,
        /// If its address is already registered, replace the existing deployment.
        replace: bool,
        /// Allow a service to change its kind.
        allow_breaking: bool,
    },
    /// An operator asked to remove a finished invocation before it expires.
    PurgeRequested { request: RequestId, target: InvocationId },
    /// A producer submitted an invocation, possibly one that it submitted before.
    Produced { request: RequestId, invoke: Box<Invoke> },
    /// Invocations still wait for a result that is passed on to a few of them at a time.
    ResultDue { of: Lsn },
    /// The attempt failed, and this is kept as an incident.
    AttemptFailedOn {
        attempt: AttemptRef,
        /// Where it ran; `None` if no deployment could run it.
        deployment: Option<DeploymentId>,
        failure: AttemptFailure,
        next: AfterFailure,
    },
    /// An operator asked something of an invocation. Supersedes the three requests above, of which
    /// no audit is kept.
    OperationRequested {
        request: RequestId,
        operator: Operator,
        target: InvocationId,
        operation: Operation,
    },
    /// An operator asked to edit the state of a virtual object or workflow.
    StateEditRequested { request: RequestId, operator: Operator, edit: Box<StateEdit> },
    /// An operator changed settings of a service. They stay until the service is discovered again.
    /// Superseded by [`Event::RegistryChangeRequested`], like the other changes of the registry.
    ServiceConfigured {
        request: RequestId,
        service: String,
        /// An absent one stays as it is.
        changes: ServiceOptions,
    },
    /// An operator changed how a deployment is called, after discovery at its new address. The edge
    /// checked the registry beforehand; what counts is what is registered when the record is applied.
    DeploymentUpdated {
        request: RequestId,
        deployment: Arc<Deployment>,
        /// Replace the services that it offers, whatever they were, in their revisions. Otherwise they
        /// stay as they are, and have to be offered still.
        overwrite: bool,
    },
    /// An operator asked to change the registry. Supersedes the requests above to register, update
    /// and remove deployments and to configure services, of which no audit is kept.
    RegistryChangeRequested { request: RequestId, operator: Operator, change: Box<RegistryChange> },
}

impl Event {
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
            | Self::AttemptFailed { attempt, .. }
            | Self::AttemptFailedOn { attempt, .. } => Some(*attempt),
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
            | Self::OperationRequested { .. }
            | Self::StateEditRequested { .. }
            | Self::DeploymentRegistered { .. }
            | Self::DeploymentOffered { .. }
            | Self::DeploymentRemoved { .. }
            | Self::ServiceConfigured { .. }
            | Self::DeploymentUpdated { .. }
            | Self::RegistryChangeRequested { .. }
            | Self::ResultDue { .. } => None,
        }
    }
}

/// A command as the SDK sent it, together with its decoded form. Only the bytes are persisted;
/// decoding them again yields the same command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedCommand {
    entry: Entry,
    command: NamedCommand,
}

impl ProposedCommand {
    /// Decodes the entry. Returns an error if it is not a well-formed command. Entries from the log
    /// are decoded here too, so an entry that was accepted once must always be accepted.
    pub fn decode(entry: Entry) -> Result<Self, wire::WireError> {
        let command = wire::command::decode(&entry)?;
        Ok(Self { entry, command })
    }

    /// The encoded entry, to store and to replay.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The decoded command.
    pub fn command(&self) -> &Command {
        &self.command.command
    }

    /// The name that the SDK gave the entry.
    pub fn name(&self) -> &str {
        &self.command.name
    }
}

impl Serialize for ProposedCommand {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entry.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ProposedCommand {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::decode(Entry::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The rules that a record was applied under when its effects left the node. Every later fold uses
/// the same rules: producing other rows or another attempt than the ones already seen outside would
/// be wrong.
///
/// The meaning of a single event is fixed by its variant; a rule shared by several events changes
/// here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rules {
    /// The rules of event format 1.
    V1,
    /// The rules of event format 2.
    V2,
    /// The rules of event format 3.
    V3,
    /// The rules of event format 4: those of format 3, extended to new events.
    V4,
    /// The rules of event format 5: a result that many wait for is passed on in several records,
    /// and a record that removes finished invocations frees about as many bytes as it may.
    V5,
    /// The rules of event format 6: those of format 5, extended to new events.
    V6,
}

impl Rules {
    /// The rules for new records.
    pub const CURRENT: Self = Self::V6;

    /// The first byte of a record's payload.
    pub fn format(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
            Self::V4 => 4,
            Self::V5 => 5,
            Self::V6 => 6,
        }
    }

    fn of_format(format: u8) -> Option<Self> {
        let all = [Self::V1, Self::V2, Self::V3, Self::V4, Self::V5, Self::V6];
        all.into_iter().find(|rules| rules.format() == format)
    }
}

/// A record's payload could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum EventDecodeError {
    /// Written by a newer version of this software.
    #[error("event format {0} is unknown: this version reads formats 1 to 6")]
    UnknownFormat(u8),
    /// The payload does not match its format.
    #[error("event cannot be decoded: {0}")]
    Malformed(String),
}

impl Record {
    /// Creates a record under the current rules.
    pub fn new(lsn: Lsn, stamp: Stamp, event: Event) -> Self {
        Self { lsn, stamp, rules: Rules::CURRENT, event }
    }

    /// The payload that the log stores: format, stamp, event. The log itself keeps the LSN.
    ///
    /// # Panics
    /// Never panics: every event can be encoded, and the only sink is memory.
    pub fn encode(&self) -> Bytes {
        let mut payload = Vec::with_capacity(256);
        payload.push(self.rules.format());
        payload.extend_from_slice(&self.stamp.0.to_be_bytes());
        #[expect(
            clippy::expect_used,
            reason = "writing to a Vec cannot fail, and no event contains a map or a float"
        )]
        let payload = postcard::to_extend(&self.event, payload).expect("an event can be encoded");
        Bytes::from(payload)
    }

    /// Decodes a payload.
    pub fn decode(lsn: Lsn, payload: &[u8]) -> Result<Self, EventDecodeError> {
        let malformed = || EventDecodeError::Malformed("shorter than its header".to_owned());
        let (&format, rest) = payload.split_first().ok_or_else(malformed)?;
        let rules = Rules::of_format(format).ok_or(EventDecodeError::UnknownFormat(format))?;
        let (stamp, event) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        let event = postcard::from_bytes(event)
            .map_err(|error| EventDecodeError::Malformed(error.to_string()))?;
        Ok(Self { lsn, stamp: Stamp(u64::from_be_bytes(*stamp)), rules, event })
    }
}
