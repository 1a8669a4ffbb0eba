//! Rows as older formats wrote them. These types never change: a row read as one of them is
//! converted to its current type immediately, and is written back as that.

use protocol::{HandlerKind, InvocationId, ServiceKind, Target, journal::EntryIndex};
use serde::{Deserialize, Serialize};

use crate::{
    model::invocation::{AttemptFailure, Invocation, Pause, Pin, Retention, Source, Status},
    time::Timestamp,
};

/// An invocation of formats 1 and 2, which recorded neither unsent attempts nor pending
/// cancellations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of today's row")]
pub struct InvocationV2 {
    pub id: InvocationId,
    pub target: Target,
    pub service_kind: ServiceKind,
    pub handler_kind: HandlerKind,
    pub source: Source,
    pub status: Status,
    pub pin: Option<Pin>,
    pub idempotency_key: Option<String>,
    pub scope: Option<String>,
    pub limit_key: Option<String>,
    pub retention: Retention,
    pub random_seed: u64,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    pub start_at: Option<Timestamp>,
    pub running_at: Option<Timestamp>,
    pub journal_len: EntryIndex,
    pub commands: u32,
    pub journal_bytes: u64,
    pub last_entry_at: Timestamp,
    pub output: Option<EntryIndex>,
    pub has_notifications: bool,
    pub has_waiters: bool,
    pub retry_count: u32,
    pub policy_attempts: u32,
    pub last_failure: Option<Box<AttemptFailure>>,
}

/// An [`Invocation`] of formats 3 to 5, which kept no incidents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of today's row")]
pub struct InvocationV5 {
    pub id: InvocationId,
    pub target: Target,
    pub service_kind: ServiceKind,
    pub handler_kind: HandlerKind,
    pub source: Source,
    pub status: Status,
    pub pin: Option<Pin>,
    pub idempotency_key: Option<String>,
    pub scope: Option<String>,
    pub limit_key: Option<String>,
    pub retention: Retention,
    pub random_seed: u64,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    pub start_at: Option<Timestamp>,
    pub running_at: Option<Timestamp>,
    pub journal_len: EntryIndex,
    pub commands: u32,
    pub journal_bytes: u64,
    pub last_entry_at: Timestamp,
    pub output: Option<EntryIndex>,
    pub has_notifications: bool,
    pub has_waiters: bool,
    pub retry_count: u32,
    pub policy_attempts: u32,
    pub last_failure: Option<Box<AttemptFailure>>,
    pub unsent: u32,
    pub cancel_pending: bool,
}

impl From<InvocationV2> for InvocationV5 {
    fn from(old: InvocationV2) -> Self {
        Self {
            id: old.id,
            target: old.target,
            service_kind: old.service_kind,
            handler_kind: old.handler_kind,
            source: old.source,
            status: old.status,
            pin: old.pin,
            idempotency_key: old.idempotency_key,
            scope: old.scope,
            limit_key: old.limit_key,
            retention: old.retention,
            random_seed: old.random_seed,
            created_at: old.created_at,
            modified_at: old.modified_at,
            start_at: old.start_at,
            running_at: old.running_at,
            journal_len: old.journal_len,
            commands: old.commands,
            journal_bytes: old.journal_bytes,
            last_entry_at: old.last_entry_at,
            output: old.output,
            has_notifications: old.has_notifications,
            has_waiters: old.has_waiters,
            retry_count: old.retry_count,
            policy_attempts: old.policy_attempts,
            last_failure: old.last_failure,
            unsent: 0,
            cancel_pending: false,
        }
    }
}

impl From<InvocationV5> for Invocation {
    fn from(old: InvocationV5) -> Self {
        // Nobody but its last failure could pause it.
        let is_paused = matches!(old.status, Status::Paused);
        let pause = Pause { at: old.modified_at, operator: None, waited_for: None };
        let pause = is_paused.then(|| Box::new(pause));
        Self {
            id: old.id,
            target: old.target,
            service_kind: old.service_kind,
            handler_kind: old.handler_kind,
            source: old.source,
            status: old.status,
            pin: old.pin,
            idempotency_key: old.idempotency_key,
            scope: old.scope,
            limit_key: old.limit_key,
            retention: old.retention,
            random_seed: old.random_seed,
            created_at: old.created_at,
            modified_at: old.modified_at,
            start_at: old.start_at,
            running_at: old.running_at,
            journal_len: old.journal_len,
            commands: old.commands,
            journal_bytes: old.journal_bytes,
            last_entry_at: old.last_entry_at,
            output: old.output,
            has_notifications: old.has_notifications,
            has_waiters: old.has_waiters,
            retry_count: old.retry_count,
            policy_attempts: old.policy_attempts,
            last_failure: old.last_failure,
            unsent: old.unsent,
            cancel_pending: old.cancel_pending,
            incidents: 0,
            incident_bytes: 0,
            pause,
        }
    }
}
