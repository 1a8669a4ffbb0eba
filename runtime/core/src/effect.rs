//! What the shell must do once the record that caused it is on disk.
//!
//! Every effect except an answer can be derived again from the rows (see [`crate::obligations`]),
//! so losing one is harmless. The result behind an answer is in a row: a client whose connection
//! broke asks again.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    DeploymentId, HandlerKind, InvocationId, ServiceKind, Target,
    journal::{Entry, EntryIndex},
};

use crate::{
    model::{
        deployment::Lost,
        ids::{AttemptRef, Lsn, PartitionId, RequestId},
        invocation::{Completion, Pin},
        message::Message,
        operation::Outcome,
        state_edit::{EditOutcome, StateSummary},
    },
    time::{Stamp, Timestamp},
};

/// An action for the shell to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Effect {
    /// Run the invocation's handler.
    StartAttempt(Box<StartAttempt>),
    /// Run the invocation's handler once there is memory for its journal, which is large: it is
    /// read then ([`crate::obligations::start`]).
    OfferAttempt { attempt: AttemptRef },
    /// Send a new entry to a running attempt.
    SendNotification { attempt: AttemptRef, index: EntryIndex, entry: Entry },
    /// Abort an attempt; anything it still proposes is ignored.
    AbortAttempt { attempt: AttemptRef },
    /// Ask an attempt to suspend as soon as it can.
    SuspendAttempt { attempt: AttemptRef },
    /// A timer row for this time was written.
    ArmTimer { at: Timestamp },
    /// A finished invocation, a journal or a promise may be removed at this time.
    ArmExpiry { at: Timestamp },
    /// Answer a request from an edge.
    Answer { request: RequestId, answer: Answer },
    /// An invocation has completed: notify everything that waits for it.
    Completed { id: InvocationId, completion: Arc<Completion> },
    /// Pass a shared result on to more of those that wait for it.
    ResultDue { of: Lsn },
    /// Deliver a message to another partition.
    Send { to: PartitionId, sequence: u64, stamp: Stamp, message: Message },
    /// Tell another partition that its messages up to `sequence` are durable here.
    Acknowledge { to: PartitionId, sequence: u64 },
    /// The registry has changed: publish a new snapshot.
    PublishRegistry,
}

/// Everything an attempt needs, so that the invoker never has to query the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartAttempt {
    /// Identifies the attempt; its proposals carry this reference.
    pub attempt: AttemptRef,
    /// The id of the invocation, as SDKs and clients know it.
    pub id: InvocationId,
    /// The handler to run.
    pub target: Target,
    /// The kind of service that the handler belongs to.
    pub service_kind: ServiceKind,
    /// The kind of handler, which determines what it may do.
    pub handler_kind: HandlerKind,
    /// Where it runs; `None` until an attempt has chosen.
    pub pin: Option<Pin>,
    /// The journal so far, starting with the Input entry.
    pub journal: Vec<Entry>,
    /// The object's or workflow's state, in key order.
    pub state: Vec<(Bytes, Bytes)>,
    /// Whether `state` is incomplete.
    pub partial_state: bool,
    /// Seeds the SDK's random numbers.
    pub random_seed: u64,
    /// Attempts that reached the handler and failed since a command was last stored.
    pub retry_count: u32,
    /// Attempts counted by the retry policy since the invocation last suspended.
    pub policy_attempts: u32,
    /// Consecutive attempts whose request was never sent and that the policy did not count.
    pub unsent: u32,
    /// The codes of the last attempt's failure.
    pub last_failure: Option<(u32, Option<String>)>,
    /// When the last entry was stored.
    pub last_entry_at: Timestamp,
    /// When the record that started the attempt was created.
    pub now: Timestamp,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
    /// Flow-control scope.
    pub scope: Option<String>,
    /// Limit key within the scope.
    pub limit_key: Option<String>,
    /// Whether it is asked to suspend right away, since its invocation is to be paused.
    pub is_pausing: bool,
}

impl StartAttempt {
    /// Consecutive attempts that failed before this one, for any reason.
    pub fn failures(&self) -> u32 {
        failures(self.retry_count, self.policy_attempts, self.unsent)
    }
}

/// Consecutive failed attempts, computed from the number that failed in the handler, the number
/// that the policy counted, and the number that were never sent.
pub fn failures(retry_count: u32, policy_attempts: u32, unsent: u32) -> u32 {
    // Most attempts that fail in the handler also count against the policy.
    retry_count.max(policy_attempts).saturating_add(unsent)
}

/// The answer to an edge's request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Answer {
    /// A send is durable.
    Accepted {
        id: InvocationId,
        /// Whether it already existed, under the same idempotency or workflow key.
        duplicate: bool,
        /// When a delayed invocation starts, as the first request asked.
        start_at: Option<Timestamp>,
    },
    /// The invocation had already completed; this is its stored result.
    Completed { id: InvocationId, completion: Arc<Completion> },
    /// A workflow's `run` was called a second time.
    AlreadyInvoked { id: InvocationId },
    /// What has become of an operator's request; if it was done, that is durable.
    Operated(Outcome),
    /// What has become of an edit of state, and the state after it; `None` if nobody has looked at
    /// it yet, or will.
    StateEdited { outcome: EditOutcome, state: Option<StateSummary> },
    /// The outcome of a signal; if it was stored, it is durable.
    Signalled(SignalAnswer),
    /// The outcome of a registration.
    Registered(Registered),
    /// The outcome of an update of a deployment.
    Updated(Updated),
    /// The outcome of a change to a service's settings.
    Configured(Configured),
    /// A deployment was removed, or did not exist.
    Removed { existed: bool },
    /// A producer's invocation is durable, either from this record or from an earlier one.
    Produced { is_new: bool },
}

/// The outcome of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// Registered as a new deployment: its address was not known before.
    New(DeploymentId),
    /// The address was already registered as this deployment, which was replaced with the offered
    /// one.
    Replaced(DeploymentId),
    /// The address was already registered as this deployment, which was left unchanged.
    Kept(DeploymentId),
    /// Nothing was registered: a service would have changed its kind.
    KindChanged {
        /// Name of the service.
        service: String,
        /// Its current kind.
        was: ServiceKind,
        /// The kind that the endpoint reports.
        would_be: ServiceKind,
    },
}

/// The outcome of an update of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Updated {
    /// It is called as requested from now on.
    Done,
    /// The deployment does not exist.
    NotFound,
    /// Another deployment has the address.
    AddressTaken(DeploymentId),
    /// Nothing was changed: it would not offer any more what it is registered with.
    Lost(Vec<Lost>),
}

/// The outcome of a change to a service's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Configured {
    /// They apply from now on.
    Done,
    /// No deployment offers the service.
    NotFound,
    /// Nothing was changed: only a workflow can keep its results as one.
    NotAWorkflow,
}

/// The outcome of a signal from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalAnswer {
    /// It is in the journal.
    Stored,
    /// It came too late: the awakeable is already completed, or the invocation has ended.
    AlreadyCompleted,
    /// The invocation does not exist.
    NotFound,
    /// The journal already holds as many signals as it may.
    JournalFull {
        /// The maximum number of signals.
        entries_max: u32,
        /// The maximum number of bytes in signals.
        bytes_max: u64,
    },
}
