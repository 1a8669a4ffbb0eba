//! Invocations: how they are asked for, what is remembered of them, how their attempts fail and how they
//! end.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    DeploymentId, HandlerKind, InvocationId, ProtocolVersion, ServiceKind, Target, TerminalFailure,
    journal::{Awaiting, CompletionId, Entry, EntryIndex, NotificationKind},
};
use serde::{Deserialize, Serialize};

use super::{
    ids::{Lsn, RequestId},
    producer::Position,
};
use crate::time::Timestamp;

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
    /// A producer, which hands in one for each of its positions.
    Producer { name: String, position: Position },
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

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Its id.
    pub id: InvocationId,
    /// The handler it runs.
    pub target: Target,
    /// What kind of service that belongs to.
    pub service_kind: ServiceKind,
    /// What the handler may do.
    pub handler_kind: HandlerKind,
    /// Who asked for it.
    pub source: Source,
    /// Where it is in its life.
    pub status: Status,
    /// Deployment and protocol, once an attempt has chosen.
    pub pin: Option<Pin>,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
    /// Flow-control scope.
    pub scope: Option<String>,
    /// Limit key within the scope.
    pub limit_key: Option<String>,
    /// How long it is kept once it is finished.
    pub retention: Retention,
    /// Seeds the SDK's random numbers.
    pub random_seed: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub modified_at: Timestamp,
    /// When it was to start, if it was delayed.
    pub start_at: Option<Timestamp>,
    /// When its first attempt started.
    pub running_at: Option<Timestamp>,
    /// Entries in its journal.
    pub journal_len: EntryIndex,
    /// Commands among them.
    pub commands: u32,
    /// Bytes of its entries.
    pub journal_bytes: u64,
    /// When the last entry was stored.
    pub last_entry_at: Timestamp,
    /// Where its Output command stands, once there is one.
    pub output: Option<EntryIndex>,
    /// Whether it has rows that tell completions or signals.
    pub has_notifications: bool,
    /// Whether others than its caller wait for its result.
    pub has_waiters: bool,
    /// Attempts that got to the handler and failed since a command was last stored.
    pub retry_count: u32,
    /// Attempts that the retry policy has counted since the invocation last made room.
    pub policy_attempts: u32,
    /// Why the last attempt broke off; forgotten when a later one gets further.
    pub last_failure: Option<Box<AttemptFailure>>,
    /// Attempts in a row whose request was not even sent and that the retry policy has not counted.
    pub unsent: u32,
    /// Whether a cancellation is stored that no attempt has got past: none has stored anything since,
    /// or waits with it behind.
    pub cancel_pending: bool,
}

/// Where an invocation is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Status {
    /// No attempt is under way, until what it waits for arrives.
    Waiting(WaitingFor),
    /// An attempt, named by its lsn, is under way.
    Running { attempt: Lsn },
    /// Out of attempts, or told to stop: an operator must decide.
    Paused,
    /// Finished.
    Completed { at: Timestamp, completion: Arc<Completion> },
}

/// The one thing that an invocation without an attempt waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum WaitingFor {
    /// Its start time.
    Start { at: Timestamp },
    /// The lock of its object; `place` is its key in the inbox.
    Object { place: Lsn },
    /// The time of its next try.
    Retry { at: Timestamp },
    /// Entries of its journal, later than the first `seen`.
    Notification { awaiting: Awaiting, seen: EntryIndex },
}

/// The status in one byte, as the index has it. Persisted: never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum StatusKind {
    /// Waits for its start time.
    Scheduled = 1,
    /// Waits for the lock of its object.
    Inboxed = 2,
    /// An attempt is under way.
    Running = 3,
    /// Waits for its next try.
    BackingOff = 4,
    /// Waits for entries of its journal.
    Suspended = 5,
    /// An operator must decide.
    Paused = 6,
    /// Finished.
    Completed = 7,
}

impl Status {
    /// Whether it has ended and its retention is over by `now`: then it counts as absent, removed or not.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        match self {
            Self::Completed { completion, .. } => {
                completion.expires_at.is_none_or(|expires_at| expires_at <= now)
            }
            Self::Waiting(_) | Self::Running { .. } | Self::Paused => false,
        }
    }

    /// Its result, once it has one.
    pub fn completion(&self) -> Option<&Arc<Completion>> {
        match self {
            Self::Completed { completion, .. } => Some(completion),
            Self::Waiting(_) | Self::Running { .. } | Self::Paused => None,
        }
    }

    /// The status in one byte.
    pub fn kind(&self) -> StatusKind {
        match self {
            Self::Waiting(WaitingFor::Start { .. }) => StatusKind::Scheduled,
            Self::Waiting(WaitingFor::Object { .. }) => StatusKind::Inboxed,
            Self::Waiting(WaitingFor::Retry { .. }) => StatusKind::BackingOff,
            Self::Waiting(WaitingFor::Notification { .. }) => StatusKind::Suspended,
            Self::Running { .. } => StatusKind::Running,
            Self::Paused => StatusKind::Paused,
            Self::Completed { .. } => StatusKind::Completed,
        }
    }
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// Its answer.
    pub result: Result<Bytes, TerminalFailure>,
    /// Until when it is kept; `None` when it is not.
    pub expires_at: Option<Timestamp>,
    /// The handler it ran.
    pub target: Target,
}

impl Completion {
    /// The bytes of its result: of the value, or of the message.
    pub fn result_bytes(&self) -> usize {
        match &self.result {
            Ok(value) => value.len(),
            Err(failure) => failure.message.len(),
        }
    }
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
