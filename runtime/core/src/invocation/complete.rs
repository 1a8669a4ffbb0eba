//! An invocation ends: answer every waiter, pass its object's lock on, and schedule its removal.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{
    HandlerKind, TerminalFailure,
    journal::{Command, NotificationKind},
    wire,
};

use super::{edit_state, purge, running, set_status, start_attempt, withdraw};
use crate::{
    context::Context,
    effect::Effect,
    model::{
        ids::{AttemptRef, Lsn},
        invocation::{Completion, Source, Status},
    },
    object, outbox, shared_result,
};

/// The attempt sent an End frame.
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

/// Ends an invocation that has not ended yet, whatever its status.
pub(crate) fn complete(cx: &mut Context<'_, '_>, lsn: Lsn, result: Result<Bytes, TerminalFailure>) {
    withdraw::apply(cx, lsn);
    let at = cx.at;
    let invocation = super::expect(cx.tables, lsn);
    let (id, target) = (invocation.id, invocation.target.clone());
    let (source, kind) = (invocation.source.clone(), invocation.handler_kind);
    let (has_waiters, retention) = (invocation.has_waiters, invocation.retention);
    let has_started = invocation.running_at.is_some();
    let expires_at = (retention.completion_ms > 0).then(|| at.after_ms(retention.completion_ms));
    let completion = Arc::new(Completion { result, expires_at, target: target.clone() });
    set_status(cx, lsn, Status::Completed { at, completion: Arc::clone(&completion) });
    if let Source::Call { caller, .. } = source {
        assert!(caller.kind == NotificationKind::Call, "{:?}: {caller:?} is not a call", cx.lsn);
        outbox::answer(cx, caller, completion.result.clone().into());
    }
    if has_waiters {
        shared_result::pass_on(cx, lsn, &completion.result.clone().into());
    }
    cx.emit(Effect::Completed { id, completion });
    let mut next = None;
    if has_started && matches!(kind, HandlerKind::Exclusive | HandlerKind::Workflow) {
        if kind == HandlerKind::Exclusive {
            next = object::release(cx, &target, lsn);
        }
        edit_state::apply_waiting(cx, &target, next.as_ref().map(|next| next.place));
    }
    match expires_at {
        None => purge::remove(cx, lsn),
        Some(expires_at) => purge::retain(cx, lsn, expires_at),
    }
    if let Some(next) = next {
        start_attempt(cx, next.invocation);
    }
}
