//! Cancellation: cooperative once user code has started, at once before that.

use protocol::{
    InvocationId, TerminalFailure,
    journal::{
        NotificationId, NotificationKind, NotificationResult,
        notification::{CANCEL_SIGNAL, SignalId},
    },
};

use super::{complete, notify::notify, signal, start_attempt};
use crate::{
    context::Context,
    effect::{Answer, Control, Effect},
    event::RequestId,
    tables::invocation::{Status, WaitingFor},
};

/// An operator asks.
pub(crate) fn requested(cx: &mut Context<'_, '_>, request: RequestId, target: InvocationId) {
    let control = apply(cx, target);
    cx.emit(Effect::Answer { request, answer: Answer::Control(control) });
}

/// An operator or another invocation asks.
pub(crate) fn apply(cx: &mut Context<'_, '_>, target: InvocationId) -> Control {
    let Some(lsn) = cx.tables.invocation_lsn(target) else { return Control::NotFound };
    let status = super::expect(cx.tables, lsn).status.clone();
    match status {
        Status::Completed { .. } => Control::AlreadyCompleted,
        Status::Waiting(WaitingFor::Start { .. } | WaitingFor::Object { .. }) => {
            complete::complete(cx, lsn, Err(TerminalFailure::cancelled()));
            Control::Ended
        }
        Status::Waiting(WaitingFor::Notification { .. } | WaitingFor::Retry { .. })
        | Status::Running { .. } => {
            tell(cx, lsn);
            Control::Signalled
        }
        Status::Paused => {
            tell(cx, lsn);
            // Whoever cancels wants it to end, and it can only end by going on.
            super::expect(cx.tables, lsn).policy_attempts = 0;
            start_attempt(cx, lsn);
            Control::Signalled
        }
    }
}

fn tell(cx: &mut Context<'_, '_>, lsn: crate::Lsn) {
    if !signal::has_room_for_cancel(cx, lsn) {
        return; // It has been told more than often enough.
    }
    let id = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));
    notify(cx, lsn, NotificationKind::Signal, id, NotificationResult::Void);
}
