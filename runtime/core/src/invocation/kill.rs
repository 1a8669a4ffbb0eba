//! Killing: no more user code runs, and every invocation that it called or sent is killed too.

use protocol::{
    InvocationId, TerminalFailure,
    journal::{EntryIndex, NotificationKind, NotificationResult},
    wire,
};

use super::complete;
use crate::{
    context::Context,
    effect::Effect,
    event::Rules,
    model::{
        ids::{AttemptRef, Lsn},
        invocation::{Source, Status, StatusKind},
        message::Message,
        operation::Outcome,
    },
    outbox,
};

/// Kills an invocation in whatever status it is.
pub(crate) fn of(cx: &mut Context<'_, '_>, lsn: Lsn) -> Outcome {
    if super::expect(cx.tables, lsn).status.kind() == StatusKind::Completed {
        return Outcome::Refused(StatusKind::Completed);
    }
    with(cx, lsn, TerminalFailure::killed());
    Outcome::Done
}

/// The invocation that started it was killed. Format 1 identified the target by id alone.
pub(crate) fn apply(cx: &mut Context<'_, '_>, target: InvocationId) {
    if let Some(lsn) = cx.tables.invocation_lsn(target) {
        of(cx, lsn);
    }
}

/// A killed invocation had called or sent `target`. The invocation under that id may have existed
/// before the call or be a later one, so it is killed only if this caller started it.
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
        // A row of format 1, which does not identify the caller any further.
        Source::OneWayCall { caller: by, .. } => *by == caller,
        Source::IngressCall { .. }
        | Source::IngressSend { .. }
        | Source::Producer { .. }
        | Source::Restarted { .. } => false,
    };
    if is_callee {
        apply(cx, target);
    }
}

/// Kills an invocation that has not ended, with the given failure as its result.
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

/// The invocations that it called or sent, in journal order.
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
