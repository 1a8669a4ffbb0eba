//! Killing: no user code runs any more, and everything the invocation has called or sent is killed.

use protocol::{
    InvocationId, TerminalFailure,
    journal::{EntryIndex, NotificationKind, NotificationResult},
    wire,
};

use super::complete;
use crate::{
    Lsn,
    context::Context,
    effect::{Answer, Control, Effect},
    event::{AttemptRef, Message, RequestId},
    outbox,
    tables::invocation::Status,
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

/// The invocation that started it was killed.
pub(crate) fn apply(cx: &mut Context<'_, '_>, target: InvocationId) {
    let Some(lsn) = cx.tables.invocation_lsn(target) else { return };
    if !matches!(super::expect(cx.tables, lsn).status, Status::Completed { .. }) {
        with(cx, lsn, TerminalFailure::killed());
    }
}

/// Kills an invocation that has not ended, with this failure as its result.
pub(crate) fn with(cx: &mut Context<'_, '_>, lsn: Lsn, failure: TerminalFailure) {
    let invocation = super::expect(cx.tables, lsn);
    let journal_len = invocation.journal_len;
    if let Status::Running { attempt } = invocation.status {
        let attempt = AttemptRef { invocation: lsn, attempt };
        cx.emit(Effect::AbortAttempt { attempt });
    }
    for callee in callees(cx, lsn, journal_len) {
        outbox::send(cx, callee.partition_key, Message::Kill { target: callee });
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
