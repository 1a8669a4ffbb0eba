//! Cancellation: cooperative once user code has started, immediate before that.

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
    event::Rules,
    model::{
        ids::Lsn,
        invocation::{Status, WaitingFor},
        operation::Outcome,
        timer::TimerKey,
    },
};

/// Another invocation requests a cancellation, or a client does.
pub(crate) fn apply(cx: &mut Context<'_, '_>, target: InvocationId) -> Outcome {
    match cx.tables.invocation_lsn(target) {
        Some(lsn) => of(cx, lsn),
        None => Outcome::NotFound,
    }
}

/// Cancels an invocation in whatever status it is.
pub(crate) fn of(cx: &mut Context<'_, '_>, lsn: Lsn) -> Outcome {
    let status = super::expect(cx.tables, lsn).status.clone();
    match status {
        Status::Completed { .. } => Outcome::Refused(status.kind()),
        Status::Waiting(WaitingFor::Start { .. } | WaitingFor::Object { .. }) => {
            complete::complete(cx, lsn, Err(TerminalFailure::cancelled()));
            Outcome::Done
        }
        Status::Waiting(WaitingFor::Notification { .. }) | Status::Running { .. } => {
            tell(cx, lsn);
            Outcome::Requested
        }
        Status::Waiting(WaitingFor::Retry { at }) => {
            // Only a newly stored cancellation cuts the backoff short, so that repeated requests
            // cannot drive retries in a loop. The retry policy's count and delay stay as they were.
            if tell(cx, lsn) && cx.follows(Rules::V3) {
                cx.tables.delete_timer(&TimerKey { at, invocation: lsn, completion: 0 });
                start_attempt(cx, lsn);
            }
            Outcome::Requested
        }
        Status::Paused => {
            tell(cx, lsn);
            // The cancelled invocation should end, and it can only do so by running again.
            if !cx.follows(Rules::V3) {
                super::expect(cx.tables, lsn).policy_attempts = 0;
            }
            start_attempt(cx, lsn);
            Outcome::Requested
        }
    }
}

/// Stores the cancel signal; returns false if it was not stored.
fn tell(cx: &mut Context<'_, '_>, lsn: Lsn) -> bool {
    let invocation = super::expect(cx.tables, lsn);
    let is_unheard =
        invocation.cancel_pending && !matches!(invocation.status, Status::Running { .. });
    // While no attempt is running, the previous cancellation cannot have been seen yet. The next
    // attempt will see it, and a second one would interrupt the cleanup that the first triggers. A
    // running attempt may have seen it already, so there it is stored again.
    if cx.follows(Rules::V3) && is_unheard {
        return false;
    }
    if !signal_room::take_for_cancel(cx, lsn) {
        return false; // It holds plenty of cancellations already.
    }
    super::expect(cx.tables, lsn).cancel_pending = cx.follows(Rules::V3);
    let id = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));
    notify(cx, lsn, NotificationKind::Signal, id, NotificationResult::Void);
    true
}
