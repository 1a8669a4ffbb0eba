//! Everything that may be in the log, as facts.
//!
//! An event's meaning never changes: yesterday's tail is folded by today's binary. Another field is a
//! new variant; variants are persisted by their number and only ever appended. A rule that changes
//! for events as they are is taken by records of the new [`Rules`] alone.
//!
//! Events are decoded anew on every fold, so decoding never becomes stricter: what makes no sense is
//! refused at the edge, by the Attempt, before it is proposed.

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
        deployment::Deployment,
        ids::{AttemptRef, Lsn, PartitionId, RequestId},
        invocation::{AfterFailure, AttemptFailure, Callee, Invoke, Pin},
        message::Message,
        timer::TimerKey,
    },
    time::Stamp,
};

/// One element of a partition's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub lsn: Lsn,
    /// When it was made, stamped once by the leader.
    pub stamp: Stamp,
    /// What it was applied by, and is whenever it is folded.
    pub rules: Rules,
    /// What happened.
    pub event: Event,
}

/// A fact that changes a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Event {
    /// Somebody asked for an invocation.
    Invoked(Box<Invoke>),
    /// The first attempt chose the deployment and protocol that the invocation keeps.
    DeploymentPinned { attempt: AttemptRef, pin: Pin },
    /// The SDK issued the next journal command.
    CommandProposed { attempt: AttemptRef, command: ProposedCommand, callee: Option<Box<Callee>> },
    /// The SDK finished a side effect.
    RunProposed {
        attempt: AttemptRef,
        completion: CompletionId,
        result: Result<Bytes, TerminalFailure>,
    },
    /// The SDK has nothing to do until something it waits for arrives.
    AttemptSuspended {
        attempt: AttemptRef,
        awaiting: Awaiting,
        /// How many journal entries the attempt was shown: later ones are news to it.
        seen: EntryIndex,
    },
    /// The SDK ended the invocation; its Output command is in the journal.
    AttemptEnded { attempt: AttemptRef },
    /// The attempt broke off.
    AttemptFailed { attempt: AttemptRef, failure: AttemptFailure, next: AfterFailure },
    /// A timer's time has come.
    TimerFired { timer: TimerKey },
    /// A signal or an awakeable's completion came in from outside.
    SignalReceived { target: InvocationId, signal: SignalId, result: NotificationResult },
    /// An operator asked to cancel an invocation.
    CancelRequested { request: RequestId, target: InvocationId },
    /// An operator asked to kill an invocation.
    KillRequested { request: RequestId, target: InvocationId },
    /// Another partition's message arrived.
    MessageReceived { from: PartitionId, sequence: u64, message: Message },
    /// Another partition has all our messages up to `sequence` on disk.
    MessagesAcknowledged { by: PartitionId, sequence: u64 },
    /// Finished invocations may be due for removal, or take more room than they may.
    RetentionDue {
        /// How many bytes finished invocations may take.
        budget_bytes: u64,
        /// How many invocations this record may remove.
        limit: u32,
    },
    /// A deployment was registered, or registered again, whatever else is registered: the word of
    /// before [`Event::DeploymentOffered`].
    DeploymentRegistered { request: RequestId, deployment: Arc<Deployment> },
    /// A deployment was removed.
    DeploymentRemoved { request: RequestId, deployment: DeploymentId },
    /// The SDK issued the next journal command, which names a time. The entry has it as it was sent;
    /// what counts is how far ahead of the edge's time of day it was when the frame came.
    TimedCommandProposed {
        attempt: AttemptRef,
        command: ProposedCommand,
        callee: Option<Box<Callee>>,
        delay_ms: u64,
    },
    /// A signal or an awakeable's completion came in from outside, from one who waits to hear what
    /// became of it.
    SignalRequested {
        request: RequestId,
        target: InvocationId,
        signal: SignalId,
        result: NotificationResult,
    },
    /// Finished invocations may be due for removal, or take more room than they may. What a key or a
    /// workflow promises goes at its time; everything else may go before that.
    CleanupDue {
        /// How many bytes finished invocations may take.
        budget_bytes: u64,
        /// How many removals this record may make.
        limit: u32,
    },
    /// An operator asked to register what an endpoint has said it offers. Whoever asked has looked
    /// before that, but asking the endpoint takes long: what counts is what is registered now.
    DeploymentOffered {
        request: RequestId,
        deployment: Arc<Deployment>,
        /// If its address is registered already: put this in the place of what is there.
        replace: bool,
        /// Let a service change its kind.
        allow_breaking: bool,
    },
    /// An operator asked to remove a finished invocation before its time.
    PurgeRequested { request: RequestId, target: InvocationId },
    /// A producer has handed in an invocation, perhaps one that it has handed in before.
    Produced { request: RequestId, invoke: Box<Invoke> },
}

/// A command as the SDK sent it, with what it says. Only the bytes are persisted; reading them
/// again gives the same command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedCommand {
    entry: Entry,
    command: NamedCommand,
}

impl ProposedCommand {
    /// Reads the entry. Fails when it is not a well-formed command. The log's entries are read by
    /// this too: whatever it has once accepted it accepts for ever.
    pub fn decode(entry: Entry) -> Result<Self, wire::WireError> {
        let command = wire::command::decode(&entry)?;
        Ok(Self { entry, command })
    }

    /// The bytes to store and to replay.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// What it says.
    pub fn command(&self) -> &Command {
        &self.command.command
    }

    /// The name its entry has.
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

/// The rules that a record was applied by when its effects left the node: it is folded by the same
/// ones for ever, since another row or another attempt than the world has seen would be a lie.
///
/// An event's own meaning is in its variant; a rule that several events share changes here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rules {
    /// Those of event format 1.
    V1,
    /// Those of event format 2.
    V2,
    /// Those of event format 3.
    V3,
    /// Those of event format 4: the same, for events that there were not.
    V4,
}

impl Rules {
    /// Those that new records are made under.
    pub const CURRENT: Self = Self::V4;

    /// The first byte of a record's payload.
    fn format(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }

    fn of_format(format: u8) -> Option<Self> {
        [Self::V1, Self::V2, Self::V3, Self::V4].into_iter().find(|rules| rules.format() == format)
    }
}

/// A record's payload could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum EventDecodeError {
    /// Written by a newer version of this software.
    #[error("event format is {0}, which this version cannot read: it knows 1 to 4")]
    UnknownFormat(u8),
    /// Not what this format looks like.
    #[error("event cannot be decoded: {0}")]
    Malformed(String),
}

impl Record {
    /// A record made now, under the current rules.
    pub fn new(lsn: Lsn, stamp: Stamp, event: Event) -> Self {
        Self { lsn, stamp, rules: Rules::CURRENT, event }
    }

    /// The payload that the log stores: format, stamp, event. The lsn is the log's own.
    ///
    /// # Panics
    /// Never: every event can be encoded, and memory is the only sink.
    pub fn encode(&self) -> Bytes {
        let mut payload = Vec::with_capacity(256);
        payload.push(self.rules.format());
        payload.extend_from_slice(&self.stamp.0.to_be_bytes());
        #[expect(
            clippy::expect_used,
            reason = "a Vec takes all, and no event has a map or a float"
        )]
        let payload = postcard::to_extend(&self.event, payload).expect("an event can be encoded");
        Bytes::from(payload)
    }

    /// Reads a payload back.
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
