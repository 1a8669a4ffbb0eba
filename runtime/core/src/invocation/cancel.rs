//! Cancellation: cooperative once user code has started, at once before that.

use protocol::{
    InvocationId, TerminalFailure,
    journal::{
        NotificationId, NotificationKind, NotificationResult,
        notification::{CANCEL_SIGNAL, SignalId},
    },
};

use super::{complete, notify::notify, signal_room, start_attempt};
use crate::{
    context::Context,
    effect::{Answer, Control, Effect},
    event::Rules,
    model::{
        ids::{Lsn, RequestId},
        invocation::{Status, WaitingFor},
        timer::TimerKey,
    },
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
        Status::Waiting(WaitingFor::Notification { .. }) | Status::Running { .. } => {
            tell(cx, lsn);
            Control::Signalled
        }
        Status::Waiting(WaitingFor::Retry { at }) => {
            // Once for each cancellation that is stored, so that nobody can hurry it on and on: it
            // stands where it stood then, with what its policy has counted and its delay.
            if tell(cx, lsn) && cx.follows(Rules::V3) {
                cx.tables.delete_timer(&TimerKey { at, invocation: lsn, completion: 0 });
                start_attempt(cx, lsn);
            }
            Control::Signalled
        }
        Status::Paused => {
            tell(cx, lsn);
            // Whoever cancels wants it to end, and it can only end by going on.
            if !cx.follows(Rules::V3) {
                super::expect(cx.tables, lsn).policy_attempts = 0;
            }
            start_attempt(cx, lsn);
            Control::Signalled
        }
    }
}

/// Stores the signal; false when it is not.
fn tell(cx: &mut Context<'_, '_>, lsn: Lsn) -> bool {
    let invocation = super::expect(cx.tables, lsn);
    let is_unheard =
        invocation.cancel_pending && !matches!(invocation.status, Status::Running { .. });
    // While no attempt is under way nobody can have heard of the one before: the next attempt will,
    // and a second one would break off what the first has set going. Of a running one it is not known.
    if cx.follows(Rules::V3) && is_unheard {
        return false;
    }
    if !signal_room::take_for_cancel(cx, lsn) {
        return false; // It has been told more than often enough.
    }
    super::expect(cx.tables, lsn).cancel_pending = cx.follows(Rules::V3);
    let id = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));
    notify(cx, lsn, NotificationKind::Signal, id, NotificationResult::Void);
    true
}
