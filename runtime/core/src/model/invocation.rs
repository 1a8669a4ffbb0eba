//! Invocations: how they are requested, what is stored about them, how their attempts fail and how
//! they end.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    DeploymentId, HandlerKind, InvocationId, ProtocolVersion, ServiceKind, Target, TerminalFailure,
    failure,
    journal::{Awaiting, CompletionId, Entry, EntryIndex, NotificationKind},
};
use serde::{Deserialize, Serialize};

use super::{
    ids::{Lsn, RequestId},
    operator::Operator,
    producer::Position,
};
use crate::time::Timestamp;

/// A complete request for an invocation, including what the registry declares about the handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoke {
    /// Random and time-ordered, or derived from an idempotency or workflow key.
    pub id: InvocationId,
    /// The handler to run.
    pub target: Target,
    /// The kind of service that the handler belongs to.
    pub service_kind: ServiceKind,
    /// The kind of handler, which determines what it may do.
    pub handler_kind: HandlerKind,
    /// Where the request came from.
    pub source: Source,
    /// The Input command, in the form in which it is replayed.
    pub input: Entry,
    /// The earliest time to start; a time in the past means now.
    pub start_at: Option<Timestamp>,
    /// The client's key, kept only for display; the id is already derived from it.
    pub idempotency_key: Option<String>,
    /// Flow-control scope.
    pub scope: Option<String>,
    /// Limit key within the scope.
    pub limit_key: Option<String>,
    /// How long it is kept after it completes.
    pub retention: Retention,
    /// Seeds the SDK's random numbers, the same on every attempt.
    pub random_seed: u64,
}

/// How long a completed invocation is kept, in milliseconds. Zero keeps nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// How long the status and the result are kept.
    pub completion_ms: u64,
    /// How long the journal is kept; never longer than the completion.
    pub journal_ms: u64,
}

/// Where the request for an invocation came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Source {
    /// A client that waits for the result.
    IngressCall { request: RequestId },
    /// A client that waits only until the invocation is accepted.
    IngressSend { request: RequestId },
    /// Another invocation that waits for the result.
    Call { caller: CallRef, caller_target: Target },
    /// Another invocation that does not wait for the result.
    OneWayCall { caller: InvocationId, caller_target: Target },
    /// Like [`Self::OneWayCall`], but with the LSN that created the caller: format 1 could not
    /// distinguish several invocations with the same derived id.
    Sent { caller: InvocationId, invocation: Lsn, caller_target: Target },
    /// A producer, which submits one invocation per position.
    Producer { name: String, position: Position },
    /// An operator, who restarted an invocation that had ended.
    Restarted { from: InvocationId },
}

/// Where the answer of a call, an attach or an output query goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRef {
    /// The waiting invocation.
    pub id: InvocationId,
    /// LSN that created it, so that a later invocation with the same derived id does not get the
    /// answer.
    pub invocation: Lsn,
    /// The completion it waits on.
    pub completion: CompletionId,
    /// The kind of answer it expects.
    pub kind: NotificationKind,
}

/// What the proposer resolved about the target of a call or a one-way call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callee {
    /// The callee's id.
    pub id: InvocationId,
    /// The kind of service that the handler belongs to.
    pub service_kind: ServiceKind,
    /// The kind of handler, which determines what it may do.
    pub handler_kind: HandlerKind,
    /// How long the callee is kept after it completes.
    pub retention: Retention,
    /// Seeds the callee's random numbers.
    pub random_seed: u64,
}

/// The stored state of one invocation, its journal excepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// The invocation's id. A derived id can be reused once the invocation has been removed.
    pub id: InvocationId,
    /// The handler it runs.
    pub target: Target,
    /// The kind of service that the handler belongs to.
    pub service_kind: ServiceKind,
    /// The kind of handler, which determines what it may do.
    pub handler_kind: HandlerKind,
    /// Where the request came from.
    pub source: Source,
    /// Its position in the lifecycle.
    pub status: Status,
    /// Deployment and protocol version, once an attempt has chosen them.
    pub pin: Option<Pin>,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
    /// Flow-control scope.
    pub scope: Option<String>,
    /// Limit key within the scope.
    pub limit_key: Option<String>,
    /// How long it is kept after it completes.
    pub retention: Retention,
    /// Seeds the SDK's random numbers.
    pub random_seed: u64,
    /// When it was requested.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub modified_at: Timestamp,
    /// When it was scheduled to start, if it was delayed.
    pub start_at: Option<Timestamp>,
    /// When its first attempt started.
    pub running_at: Option<Timestamp>,
    /// Number of entries in its journal.
    pub journal_len: EntryIndex,
    /// Number of commands among them.
    pub commands: u32,
    /// Total size of its entries, in bytes.
    pub journal_bytes: u64,
    /// When the last entry was stored.
    pub last_entry_at: Timestamp,
    /// Index of its Output command, once there is one.
    pub output: Option<EntryIndex>,
    /// Whether it has completion or signal rows.
    pub has_notifications: bool,
    /// Whether anything other than its caller waits for its result.
    pub has_waiters: bool,
    /// Attempts that reached the handler and failed since a command was last stored.
    pub retry_count: u32,
    /// Attempts counted by the retry policy since the invocation last suspended.
    pub policy_attempts: u32,
    /// Why the last attempt failed; cleared when a later one stores a command.
    pub last_failure: Option<Box<AttemptFailure>>,
    /// Consecutive attempts whose request was never sent and that the retry policy did not count.
    pub unsent: u32,
    /// Whether a stored cancellation is still pending: since then, no attempt has stored anything
    /// or suspended after seeing it.
    pub cancel_pending: bool,
    /// Number of incidents so far; the latest ones are kept.
    pub incidents: u32,
    /// What the kept ones take, in bytes.
    pub incident_bytes: u64,
    /// Why it is paused; or, while it runs, why it will be once its attempt ends.
    pub pause: Option<Box<Pause>>,
}

/// Where an invocation is in its lifecycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Status {
    /// No attempt is running until what it waits for arrives.
    Waiting(WaitingFor),
    /// An attempt, identified by the LSN that started it, is running.
    Running { attempt: Lsn },
    /// Out of attempts, or paused at the request of its handler or of an operator, who decides how
    /// it goes on.
    Paused,
    /// Finished.
    Completed { at: Timestamp, completion: Arc<Completion> },
}

/// Why an invocation is paused, or will be once its attempt ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Who asked for it; `None` if its last failure did.
    pub operator: Option<Operator>,
    /// What it waited for at that time, if no attempt was running.
    pub waited_for: Option<WaitingFor>,
}

/// What an invocation without a running attempt waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum WaitingFor {
    /// Its start time.
    Start { at: Timestamp },
    /// The lock of its object; `place` is its position in the inbox.
    Object { place: Lsn },
    /// The time of its next attempt.
    Retry { at: Timestamp },
    /// Journal entries after the first `seen`.
    Notification { awaiting: Awaiting, seen: EntryIndex },
}

/// The status as one byte, as stored in the index. Persisted: never renumber, never reorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum StatusKind {
    /// Waits for its start time.
    Scheduled = 1,
    /// Waits for the lock of its object.
    Inboxed = 2,
    /// An attempt is running.
    Running = 3,
    /// Waits for its next attempt.
    BackingOff = 4,
    /// Waits for new journal entries.
    Suspended = 5,
    /// An operator must decide.
    Paused = 6,
    /// Finished.
    Completed = 7,
}

impl StatusKind {
    /// All statuses.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Inboxed,
        Self::Running,
        Self::BackingOff,
        Self::Suspended,
        Self::Paused,
        Self::Completed,
    ];

    /// Those of invocations that have not ended.
    pub const UNFINISHED: [Self; 6] = [
        Self::Scheduled,
        Self::Inboxed,
        Self::Running,
        Self::BackingOff,
        Self::Suspended,
        Self::Paused,
    ];

    /// The status that is stored as this byte.
    pub fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

impl Status {
    /// Whether it has completed and its retention has expired by `now`: from then on it counts as
    /// absent, whether or not it has been removed.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        match self {
            Self::Completed { completion, .. } => {
                completion.expires_at.is_none_or(|expires_at| expires_at <= now)
            }
            Self::Waiting(_) | Self::Running { .. } | Self::Paused => false,
        }
    }

    /// How it ended, once it has completed.
    pub fn completion(&self) -> Option<&Arc<Completion>> {
        match self {
            Self::Completed { completion, .. } => Some(completion),
            Self::Waiting(_) | Self::Running { .. } | Self::Paused => None,
        }
    }

    /// The status as one byte.
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
    /// The value that the handler returned, or the failure it ended with.
    pub result: Result<Bytes, TerminalFailure>,
    /// When its retention ends; `None` if it is not kept at all.
    pub expires_at: Option<Timestamp>,
    /// The handler it ran.
    pub target: Target,
}

impl Completion {
    /// Size of the result in bytes: the value's, or the failure message's.
    pub fn result_bytes(&self) -> usize {
        match &self.result {
            Ok(value) => value.len(),
            Err(failure) => failure.message.len(),
        }
    }
}

/// The deployment and protocol version that an invocation is pinned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Where it runs.
    pub deployment: DeploymentId,
    /// The protocol version spoken there.
    pub protocol: ProtocolVersion,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptFailure {
    /// HTTP-like code; 570 to 573 are defined by the service protocol.
    pub code: u32,
    /// The runtime's own error code (such as `RT0017`), if the runtime detected the fault.
    pub error_code: Option<String>,
    /// What went wrong.
    pub message: String,
    /// The user's stack trace, when the SDK sent one.
    pub stacktrace: String,
    /// The command that the failure relates to.
    pub related_command: Option<RelatedCommand>,
}

/// Without the stack trace.
impl fmt::Display for AttemptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        failure::show(f, self.code, &self.message)
    }
}

/// The journal command that a failure relates to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelatedCommand {
    /// Index among commands; Input is 0.
    pub index: Option<u32>,
    /// Name of the entry.
    pub name: Option<String>,
    /// Type code of the command.
    pub ty: Option<u32>,
}

/// What happens after a failed attempt, as decided by the Attempt from the handler's retry policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterFailure {
    /// Try again.
    Retry {
        /// How long to wait, in milliseconds.
        delay_ms: u64,
        /// Whether the attempt counts against the retry policy.
        counts: bool,
    },
    /// Wait for an operator.
    Pause,
    /// Give up: the invocation ends with this failure, and the invocations it started are killed.
    Kill(TerminalFailure),
    /// The SDK asked to end with this failure, without retrying.
    Fail(TerminalFailure),
    /// Try again: the attempt never reached the handler, so the handler's retry count does not
    /// include it.
    RetryUnreached {
        /// How long to wait, in milliseconds.
        delay_ms: u64,
        /// Whether the attempt counts against the retry policy.
        counts: bool,
    },
    /// Try again: the request was never sent. This does not count against the retry policy and is
    /// counted separately. From here on: format 3.
    RetryUnsent {
        /// How long to wait, in milliseconds.
        delay_ms: u64,
    },
}
