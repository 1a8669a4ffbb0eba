//! What the shell must do once the record that caused it is on disk.
//!
//! Every effect but the answers can be derived again from the rows (see [`crate::obligations`]), so
//! losing one is harmless. An answer has its result row: a client whose connection died asks again.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    DeploymentId, HandlerKind, InvocationId, ServiceKind, Target,
    journal::{Entry, EntryIndex},
};

use crate::{
    model::{
        ids::{AttemptRef, PartitionId, RequestId},
        invocation::{Completion, Pin},
        message::Message,
    },
    time::{Stamp, Timestamp},
};

/// One thing for the shell to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Effect {
    /// Run the invocation's handler.
    StartAttempt(Box<StartAttempt>),
    /// Show a new entry to a live attempt.
    SendNotification { attempt: AttemptRef, index: EntryIndex, entry: Entry },
    /// Break off an attempt; what it still proposes is ignored.
    AbortAttempt { attempt: AttemptRef },
    /// A timer row with this time was written.
    ArmTimer { at: Timestamp },
    /// Something finished may be removed at this time.
    ArmExpiry { at: Timestamp },
    /// An edge's request has its answer.
    Answer { request: RequestId, answer: Answer },
    /// An invocation is finished: tell all who wait for it.
    Completed { id: InvocationId, completion: Arc<Completion> },
    /// Hand a message to another partition.
    Send { to: PartitionId, sequence: u64, stamp: Stamp, message: Message },
    /// Tell another partition that its messages up to `sequence` are on disk here.
    Acknowledge { to: PartitionId, sequence: u64 },
    /// The registry has changed: publish it anew.
    PublishRegistry,
}

/// Everything an attempt needs to know, so that the invoker asks the machine nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartAttempt {
    /// The attempt's name.
    pub attempt: AttemptRef,
    /// The invocation's id.
    pub id: InvocationId,
    /// The handler to run.
    pub target: Target,
    /// What kind of service it belongs to.
    pub service_kind: ServiceKind,
    /// What the handler may do.
    pub handler_kind: HandlerKind,
    /// Where it runs; `None` before the first attempt has chosen.
    pub pin: Option<Pin>,
    /// The journal so far, Input first.
    pub journal: Vec<Entry>,
    /// The key's state, in key order.
    pub state: Vec<(Bytes, Bytes)>,
    /// Whether `state` leaves something out.
    pub partial_state: bool,
    /// Seeds the SDK's random numbers.
    pub random_seed: u64,
    /// Attempts that got to the handler and failed since a command was last stored.
    pub retry_count: u32,
    /// Attempts that the retry policy has counted since the invocation last made room.
    pub policy_attempts: u32,
    /// Attempts in a row whose request was not even sent and that the policy has not counted.
    pub unsent: u32,
    /// The codes of what the last attempt failed with.
    pub last_failure: Option<(u32, Option<String>)>,
    /// Time of the last stored entry.
    pub last_entry_at: Timestamp,
    /// When the record was made that started the attempt.
    pub now: Timestamp,
    /// The client's idempotency key.
    pub idempotency_key: Option<String>,
    /// Flow-control scope.
    pub scope: Option<String>,
    /// Limit key within the scope.
    pub limit_key: Option<String>,
}

impl StartAttempt {
    /// Attempts in a row that have failed before this one, in whatever way.
    pub fn failures(&self) -> u32 {
        failures(self.retry_count, self.policy_attempts, self.unsent)
    }
}

/// Attempts in a row that have failed: in the handler, by the policy's count, and unsent.
pub fn failures(retry_count: u32, policy_attempts: u32, unsent: u32) -> u32 {
    // Most that fail in the handler use up an attempt of the policy, too.
    retry_count.max(policy_attempts).saturating_add(unsent)
}

/// The answer to an edge's request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Answer {
    /// A send is durable.
    Accepted {
        id: InvocationId,
        /// It was there before: the same idempotency or workflow key.
        duplicate: bool,
        /// When it starts, for a delayed one: the first request's time.
        start_at: Option<Timestamp>,
    },
    /// The invocation had already ended: its stored result.
    Completed { id: InvocationId, completion: Arc<Completion> },
    /// A workflow's `run` was called a second time.
    AlreadyInvoked { id: InvocationId },
    /// A cancel or a kill is durable.
    Control(Control),
    /// A removal of a finished invocation is durable, or was refused.
    Purged(Purged),
    /// What became of a signal; if it was stored, it is durable.
    Signalled(SignalAnswer),
    /// What became of a registration.
    Registered(Registered),
    /// A deployment is gone, or was not there.
    Removed { existed: bool },
    /// What a producer has handed in is durable, or was so before.
    Produced { is_new: bool },
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// The deployment is registered; its address was not.
    New(DeploymentId),
    /// The address was registered as this deployment, which has what was offered now.
    Replaced(DeploymentId),
    /// The address was registered as this deployment, which is as it was.
    Kept(DeploymentId),
    /// Nothing is registered: a service would change its kind.
    KindChanged {
        /// The service.
        service: String,
        /// What it is.
        was: ServiceKind,
        /// What the endpoint says.
        would_be: ServiceKind,
    },
}

/// What became of a signal from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalAnswer {
    /// It stands in the journal.
    Stored,
    /// It came too late: the awakeable has its completion, or the invocation has ended.
    AlreadyCompleted,
    /// There is no such invocation.
    NotFound,
    /// The journal has as many signals as it may have.
    JournalFull {
        /// How many there may be.
        entries_max: u32,
        /// How many bytes they may take.
        bytes_max: u64,
    },
}

/// What became of an operator's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Done: the invocation has ended.
    Ended,
    /// Under way: the invocation was told.
    Signalled,
    /// There is no such invocation.
    NotFound,
    /// It had ended before.
    AlreadyCompleted,
}

/// What became of an operator's request to remove a finished invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purged {
    /// It is gone.
    Removed,
    /// There is no such invocation.
    NotFound,
    /// It has not ended, and only what has can be removed.
    NotCompleted,
}
