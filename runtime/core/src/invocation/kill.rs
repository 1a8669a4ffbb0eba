//! Killing: no user code runs any more, and everything the invocation has called or sent is killed.

use protocol::{
    InvocationId, TerminalFailure,
    journal::{EntryIndex, NotificationKind, NotificationResult},
    wire,
};

use super::complete;
use crate::{
    context::Context,
    effect::{Answer, Control, Effect},
    event::Rules,
    model::{
        ids::{AttemptRef, Lsn, RequestId},
        invocation::{Source, Status},
        message::Message,
    },
    outbox,
};

/// An operator asks.
pub(crate) fn requested(cx: &mut Context<'_, '_>, request: RequestId, target: InvocationId) {
    let control = match cx.tables.invocation_lsn(target) {
        None => Control::NotFound,
        Some(lsn) => match super::expect(cx.tables, lsn).status {
            Status::Completed { .. } => Control::AlreadyCompleted,
            Status::Waiting(_) | Status::Running { .. } | Status::Paused => {
                with(cx, lsn, TerminalFailure::killed());
                Control::Ended
            }
        },
    };
    cx.emit(Effect::Answer { request, answer: Answer::Control(control) });
}

/// The invocation that started it was killed: by the target's id alone, as format 1 had it.
pub(crate) fn apply(cx: &mut Context<'_, '_>, target: InvocationId) {
    let Some(lsn) = cx.tables.invocation_lsn(target) else { return };
    if !matches!(super::expect(cx.tables, lsn).status, Status::Completed { .. }) {
        with(cx, lsn, TerminalFailure::killed());
    }
}

/// An invocation was killed that had called or sent `target`. What lives under that id may be another
/// one by now, or have been there before: only what this very caller has started goes with it.
pub(crate) fn callee(
    cx: &mut Context<'_, '_>,
    target: InvocationId,
    caller: InvocationId,
    created: Lsn,
) {
    let Some(lsn) = cx.tables.invocation_lsn(target) else { return };
    let is_callee = match &super::expect(cx.tables, lsn).source {
        Source::Call { caller: by, .. } => (by.id, by.invocation) == (caller, created),
        Source::Sent { caller: by, invocation, .. } => (*by, *invocation) == (caller, created),
        // A row of format 1, which knows no more.
        Source::OneWayCall { caller: by, .. } => *by == caller,
        Source::IngressCall { .. } | Source::IngressSend { .. } | Source::Producer { .. } => false,
    };
    if is_callee {
        apply(cx, target);
    }
}

/// Kills an invocation that has not ended, with this failure as its result.
pub(crate) fn with(cx: &mut Context<'_, '_>, lsn: Lsn, failure: TerminalFailure) {
    let invocation = super::expect(cx.tables, lsn);
    let (id, journal_len) = (invocation.id, invocation.journal_len);
    if let Status::Running { attempt } = invocation.status {
        let attempt = AttemptRef { invocation: lsn, attempt };
        cx.emit(Effect::AbortAttempt { attempt });
    }
    for target in callees(cx, lsn, journal_len) {
        let message = if cx.follows(Rules::V2) {
            Message::KillCallee { target, caller: id, invocation: lsn }
        } else {
            Message::Kill { target }
        };
        outbox::send(cx, message);
    }
    complete::complete(cx, lsn, Err(failure));
}

/// The invocations it has called or sent, in the order of its journal.
fn callees(cx: &Context<'_, '_>, lsn: Lsn, journal_len: EntryIndex) -> Vec<InvocationId> {
    cx.tables
        .journal(lsn, journal_len)
        .iter()
        .filter(|entry| entry.ty.is_notification())
        .filter_map(|entry| wire::notification::decode(entry).ok())
        .filter(|notification| notification.kind == NotificationKind::CallInvocationId)
        .filter_map(|notification| match notification.result {
            NotificationResult::InvocationId(id) => id.parse().ok(),
            NotificationResult::Void
            | NotificationResult::Value(_)
            | NotificationResult::Failure(_)
            | NotificationResult::StateKeys(_) => None,
        })
        .collect()
}
