//! An invocation is paused: none of its code runs until an operator resumes, cancels or kills it.

use super::set_status;
use crate::{
    context::Context,
    effect::Effect,
    event::Rules,
    model::{
        ids::{AttemptRef, Lsn},
        incident::Happened,
        invocation::{Pause, Status, WaitingFor},
        operation::Outcome,
        operator::Operator,
        timer::TimerKey,
    },
};

/// An operator asks for it. A running attempt is asked to suspend, and whatever ends it next
/// decides: a suspension or a failure pauses the invocation, and its output ends it.
pub(crate) fn of(cx: &mut Context<'_, '_>, lsn: Lsn, operator: &Operator) -> Outcome {
    let at = cx.at;
    let invocation = super::expect(cx.tables, lsn);
    let kind = invocation.status.kind();
    let waited_for = match &invocation.status {
        Status::Running { attempt } => {
            let attempt = AttemptRef { invocation: lsn, attempt: *attempt };
            invocation.pause.get_or_insert_with(|| {
                Box::new(Pause { at, operator: Some(operator.clone()), waited_for: None })
            });
            cx.emit(Effect::SuspendAttempt { attempt });
            return Outcome::Requested;
        }
        Status::Paused => return Outcome::Done,
        Status::Waiting(WaitingFor::Start { .. } | WaitingFor::Object { .. })
        | Status::Completed { .. } => return Outcome::Refused(kind),
        Status::Waiting(waiting @ (WaitingFor::Retry { .. } | WaitingFor::Notification { .. })) => {
            waiting.clone()
        }
    };
    if let WaitingFor::Retry { at } = waited_for {
        cx.tables.delete_timer(&TimerKey { at, invocation: lsn, completion: 0 });
    }
    pause(cx, lsn, Pause { at, operator: Some(operator.clone()), waited_for: Some(waited_for) });
    Outcome::Done
}

/// Its attempt has ended: with a failure after which it is not tried again, or with a suspension
/// (`waited_for`) or a failure after a pause was asked for.
pub(super) fn after_attempt(cx: &mut Context<'_, '_>, lsn: Lsn, waited_for: Option<WaitingFor>) {
    let asked_for = super::expect(cx.tables, lsn).pause.take();
    let operator = asked_for.and_then(|pause| pause.operator);
    let at = cx.at;
    pause(cx, lsn, Pause { at, operator, waited_for });
}

fn pause(cx: &mut Context<'_, '_>, lsn: Lsn, pause: Pause) {
    let by = pause.operator.clone();
    set_status(cx, lsn, Status::Paused);
    super::expect(cx.tables, lsn).pause = Some(Box::new(pause));
    if cx.follows(Rules::V6) {
        super::incident::keep(cx, lsn, Happened::Paused { by });
    }
}
