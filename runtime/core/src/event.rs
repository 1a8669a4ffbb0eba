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
    DeploymentId, HandlerKind, InvocationId, ProtocolVersion, ServiceKind, Target, TerminalFailure,
    journal::{
        Awaiting, Command, CompletionId, Entry, EntryIndex, NamedCommand, Notification,
        NotificationKind, NotificationResult, notification::SignalId,
    },
    wire,
};
use serde::{Deserialize, Serialize};

use crate::{
    Lsn, PartitionId,
    tables::{deployment::Deployment, timer::TimerKey},
    time::{Stamp, Timestamp},
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
}

/// Names a request of an edge of this process, for its answer. Meaningless after a restart: the
/// answers of folded records go nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// Names an attempt: the invocation by the lsn that created it, and the lsn that started the try.
/// Neither is ever used again, so whatever a zombie proposes is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptRef {
    /// Lsn of the record that created the invocation.
    pub invocation: Lsn,
    /// Lsn of the record that started this attempt.
    pub attempt: Lsn,
}

/// A request for an invocation, complete: what the registry says of the handler is stamped into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoke {
    /// Random and time-ordered, or derived from an idempotency or workflow key.
    pub id: InvocationId,
    /// The handler to run.
    pub target: Target,
    /// What kind of service it belongs to.
    pub service_kind: ServiceKind,
    /// What the handler may do.
    pub handler_kind: HandlerKind,
    /// Who asked.
    pub source: Source,
    /// The Input command, as it will be replayed.
    pub input: Entry,
    /// Not before; the past means now.
    pub start_at: Option<Timestamp>,
    /// The client's key, for people; the id is already derived from it.
    pub idempotency_key: Option<String>,
    /// Flow-control scope.
    pub scope: Option<String>,
    /// Limit key within the scope.
    pub limit_key: Option<String>,
    /// How long to remember it once it is finished.
    pub retention: Retention,
    /// Seeds the SDK's random numbers, the same on every attempt.
    pub random_seed: u64,
}

/// How long a finished invocation is kept, in milliseconds. Zero keeps nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Status and result.
    pub completion_ms: u64,
    /// The journal; never longer than the completion.
    pub journal_ms: u64,
}

/// Who asked for an invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Source {
    /// A client that waits for the result.
    IngressCall { request: RequestId },
    /// A client that wants to know that it is accepted.
    IngressSend { request: RequestId },
    /// Another invocation that waits for the result.
    Call { caller: CallRef, caller_target: Target },
    /// Another invocation that does not.
    OneWayCall { caller: InvocationId, caller_target: Target },
    /// The same, with the lsn that created the caller: format 1 did not know which of several
    /// invocations with one derived id it was.
    Sent { caller: InvocationId, invocation: Lsn, caller_target: Target },
}

/// Where the answer of a call, an attach or a look at an output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRef {
    /// Who waits.
    pub id: InvocationId,
    /// Lsn that created it, so that a later invocation of the same derived id is not answered.
    pub invocation: Lsn,
    /// Under which number it waits.
    pub completion: CompletionId,
    /// Which kind of answer it expects.
    pub kind: NotificationKind,
}

/// What the proposer knows of the handler that a call or one-way call names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callee {
    /// The callee's id.
    pub id: InvocationId,
    /// What kind of service it belongs to.
    pub service_kind: ServiceKind,
    /// What the handler may do.
    pub handler_kind: HandlerKind,
    /// How long to remember it once it is finished.
    pub retention: Retention,
    /// Seeds its random numbers.
    pub random_seed: u64,
}

/// The deployment and protocol an invocation stays with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Where it runs.
    pub deployment: DeploymentId,
    /// What is spoken there.
    pub protocol: ProtocolVersion,
}

/// Why an attempt broke off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailure {
    /// HTTP-like code; 570 to 573 are the protocol's own.
    pub code: u32,
    /// Our own code for it (`RT0017` and the like), when we found the fault.
    pub error_code: Option<String>,
    /// What went wrong.
    pub message: String,
    /// The user's stack trace, when the SDK sent one.
    pub stacktrace: String,
    /// The command it is about: index among commands, name, type code.
    pub related_command: Option<RelatedCommand>,
}

/// The journal command that a failure is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelatedCommand {
    /// Index among commands, Input is 0.
    pub index: Option<u32>,
    /// Name of the entry.
    pub name: Option<String>,
    /// Type code of the command.
    pub ty: Option<u32>,
}

/// What happens after a failed attempt; decided by the Attempt from the handler's retry policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterFailure {
    /// Try again.
    Retry {
        /// How long to wait.
        delay_ms: u64,
        /// Whether it uses up one of the policy's attempts.
        counts: bool,
    },
    /// Wait for an operator.
    Pause,
    /// Give up: the invocation ends with this failure, and what it started is killed.
    Kill(TerminalFailure),
    /// The SDK asked to end with this failure, without a retry.
    Fail(TerminalFailure),
    /// Try again: the attempt never got to the handler, so the handler is not told of it.
    RetryUnreached {
        /// How long to wait.
        delay_ms: u64,
        /// Whether it uses up one of the policy's attempts.
        counts: bool,
    },
    /// Try again: not even the request was sent, which uses up none of the policy's attempts and is
    /// counted by itself. From here on: format 3.
    RetryUnsent {
        /// How long to wait.
        delay_ms: u64,
    },
}

/// What one partition tells another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Message {
    /// Run this.
    Invoke(Box<Invoke>),
    /// A call or an attach has its answer.
    Notify { to: InvocationId, invocation: Lsn, notification: Notification },
    /// A signal for one of your invocations.
    Signal { to: InvocationId, signal: SignalId, result: NotificationResult },
    /// Answer `from` when `target` is done, or at once when `wait` is false.
    Attach { from: CallRef, target: InvocationId, wait: bool },
    /// Kill one of your invocations, whoever started it: format 1's word for the next.
    Kill { target: InvocationId },
    /// Kill one of your invocations if this one has started it: its id and the lsn that created it.
    KillCallee { target: InvocationId, caller: InvocationId, invocation: Lsn },
    /// `from` has ended and does not wait for the result of `target` any more.
    Detach { from: CallRef, target: InvocationId },
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
}

impl Rules {
    /// Those that new records are made under.
    pub const CURRENT: Self = Self::V3;

    /// The first byte of a record's payload.
    fn format(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }

    fn of_format(format: u8) -> Option<Self> {
        [Self::V1, Self::V2, Self::V3].into_iter().find(|rules| rules.format() == format)
    }
}

/// A record's payload could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum EventDecodeError {
    /// Written by a newer version of this software.
    #[error("event format is {0}, which this version cannot read: it knows 1 to 3")]
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
