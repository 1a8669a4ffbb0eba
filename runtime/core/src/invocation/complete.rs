//! An invocation ends: answer all who wait, let the next one at its object, keep what is to be kept.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    HandlerKind, TerminalFailure,
    journal::{Command, NotificationKind},
    wire,
};

use super::{attach, purge, running, set_status};
use crate::{
    Lsn,
    context::Context,
    effect::{Completion, Effect},
    event::{AttemptRef, Source},
    object,
    tables::{
        expiry::Expiring,
        invocation::{Status, WaitingFor},
        timer::TimerKey,
    },
};

/// The attempt said End.
pub(crate) fn ended(cx: &mut Context<'_, '_>, attempt: AttemptRef) {
    let Some(invocation) = running(cx.tables, attempt) else { return };
    let lsn = attempt.invocation;
    let Some(output) = invocation.output else {
        return; // The Attempt reports an End without Output as a protocol violation.
    };
    let Some(stored) = cx.tables.journal_entry(lsn, output) else {
        panic!("{:?}: the output of {lsn:?} is missing at {output}", cx.lsn)
    };
    let Ok(Command::Output { result }) =
        wire::command::decode(&stored.entry).map(|named| named.command)
    else {
        panic!("{:?}: entry {output} of {lsn:?} is not an output", cx.lsn)
    };
    complete(cx, lsn, result);
}

/// Ends an invocation that has not ended yet, in whatever state it is.
pub(crate) fn complete(cx: &mut Context<'_, '_>, lsn: Lsn, result: Result<Bytes, TerminalFailure>) {
    leave(cx, lsn);
    let at = cx.at;
    let invocation = super::expect(cx.tables, lsn);
    let (id, target) = (invocation.id, invocation.target.clone());
    let (source, kind) = (invocation.source.clone(), invocation.handler_kind);
    let (has_waiters, retention) = (invocation.has_waiters, invocation.retention);
    let holds_lock = kind == HandlerKind::Exclusive && invocation.running_at.is_some();
    let journal_bytes = invocation.journal_bytes;
    let expires_at = (retention.completion_ms > 0).then(|| at.after_ms(retention.completion_ms));
    let completion = Arc::new(Completion { result, expires_at, target: target.clone() });
    set_status(cx, lsn, Status::Completed { at, completion: Arc::clone(&completion) });
    if let Source::Call { caller, .. } = source {
        debug_assert_eq!(caller.kind, NotificationKind::Call, "a call expects its result");
        attach::answer(cx, caller, completion.result.clone().into());
    }
    if has_waiters {
        for waiter in cx.tables.take_waiters(lsn) {
            attach::answer(cx, waiter, completion.result.clone().into());
        }
    }
    cx.emit(Effect::Completed { id, completion });
    match expires_at {
        None => purge::remove(cx, lsn),
        Some(expires_at) => {
            cx.tables.meta_mut().retained_bytes += purge::retained_bytes(journal_bytes);
            cx.tables.put_expiry(expires_at, lsn, Expiring::All);
            cx.emit(Effect::ArmExpiry { at: expires_at });
            if retention.journal_ms < retention.completion_ms {
                purge::schedule_journal(cx, lsn, at.after_ms(retention.journal_ms));
            }
        }
    }
    if holds_lock {
        object::release(cx, &target, lsn);
    }
}

/// Undoes what the invocation's status has left elsewhere: timers, its place in an inbox, what is
/// known of its notifications.
fn leave(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let invocation = super::expect(cx.tables, lsn);
    let has_notifications = invocation.has_notifications;
    let target = invocation.target.clone();
    match invocation.status {
        Status::Waiting(WaitingFor::Start { at } | WaitingFor::Retry { at }) => {
            cx.tables.delete_timer(&TimerKey { at, invocation: lsn, completion: 0 });
        }
        Status::Waiting(WaitingFor::Object { place }) => object::leave_inbox(cx, &target, place),
        Status::Waiting(WaitingFor::Notification { .. })
        | Status::Running { .. }
        | Status::Paused => (),
        Status::Completed { .. } => panic!("{:?}: {lsn:?} ends twice", cx.lsn),
    }
    if has_notifications {
        for (completion, _, timer) in cx.tables.delete_notifications(lsn) {
            if let Some(at) = timer {
                cx.tables.delete_timer(&TimerKey { at, invocation: lsn, completion });
            }
        }
    }
}
