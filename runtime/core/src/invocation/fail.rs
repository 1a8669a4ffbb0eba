//! An attempt failed: retry later, wait for an operator, or give up.

use super::{complete, kill, pause, running, set_waiting};
use crate::{
    context::Context,
    effect::Effect,
    model::{
        ids::{AttemptRef, Lsn},
        invocation::{AfterFailure, AttemptFailure, WaitingFor},
        timer::{Timer, TimerKey},
    },
};

pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    attempt: AttemptRef,
    failure: &AttemptFailure,
    next: &AfterFailure,
) {
    let Some(invocation) = running(cx.tables, attempt) else { return };
    let lsn = attempt.invocation;
    invocation.last_failure = Some(Box::new(failure.clone()));
    // An attempt whose request was sent ends the streak of unsent ones, whatever its outcome.
    invocation.unsent = match next {
        AfterFailure::RetryUnsent { .. } => invocation.unsent.saturating_add(1),
        AfterFailure::Retry { .. }
        | AfterFailure::RetryUnreached { .. }
        | AfterFailure::Pause
        | AfterFailure::Kill(_)
        | AfterFailure::Fail(_) => 0,
    };
    match next {
        AfterFailure::Retry { delay_ms, counts }
        | AfterFailure::RetryUnreached { delay_ms, counts } => {
            if matches!(next, AfterFailure::Retry { .. }) {
                invocation.retry_count = invocation.retry_count.saturating_add(1);
            }
            invocation.policy_attempts =
                invocation.policy_attempts.saturating_add(u32::from(*counts));
            back_off(cx, lsn, *delay_ms);
        }
        AfterFailure::RetryUnsent { delay_ms } => back_off(cx, lsn, *delay_ms),
        AfterFailure::Pause => pause::after_attempt(cx, lsn, None),
        AfterFailure::Kill(failure) => kill::with(cx, lsn, failure.clone()),
        AfterFailure::Fail(failure) => complete::complete(cx, lsn, Err(failure.clone())),
    }
}

/// Waits for the next attempt, unless a pause was asked for.
fn back_off(cx: &mut Context<'_, '_>, lsn: Lsn, delay_ms: u64) {
    if super::expect(cx.tables, lsn).pause.is_some() {
        return pause::after_attempt(cx, lsn, None);
    }
    let at = cx.at.after_ms(delay_ms);
    set_waiting(cx, lsn, WaitingFor::Retry { at });
    let timer = TimerKey { at, invocation: lsn, completion: 0 };
    cx.tables.put_timer(&timer, Timer::Retry);
    cx.emit(Effect::ArmTimer { at });
}
