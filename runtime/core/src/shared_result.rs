//! A result that several invocations wait for. It is passed on to as many of them at a time as a
//! record may store copies for: the result of one invocation, or one promise, may be large, and
//! any number of handlers may wait for it.
//!
//! Those that wait have waiter rows, which begin with the LSN of the invocation, or of the record
//! that completed the promise. While some of them are left, so is a row with the result: what they
//! waited for may be removed before they have it.

use protocol::journal::NotificationResult;

use crate::{
    context::Context,
    effect::Effect,
    event::Rules,
    model::{ids::Lsn, invocation::CallRef},
    outbox, size,
};

/// How many bytes of copies one record stores.
const COPIES_BYTES_MAX: usize = 1 << 20;

/// What a copy takes in addition to the result.
const COPY_BYTES: usize = 256;

/// Passes the result on to all that wait for it under `of`: to some of them now, and to the rest
/// later.
pub(crate) fn pass_on(cx: &mut Context<'_, '_>, of: Lsn, result: NotificationResult) {
    let at_once = if cx.follows(Rules::V5) { copies(&result) } else { usize::MAX };
    answer(cx, of, &result, at_once);
    if cx.tables.has_waiter(of) {
        cx.tables.put_shared_result(of, result);
        cx.emit(Effect::ResultDue { of });
    }
}

/// The same for a promise, whose waiters have no rows yet.
pub(crate) fn pass_on_to(
    cx: &mut Context<'_, '_>,
    waiters: Vec<CallRef>,
    result: NotificationResult,
) {
    let (of, at_once) = (cx.lsn, copies(&result));
    let later = waiters.len() > at_once;
    for (position, waiter) in waiters.into_iter().enumerate() {
        if position < at_once {
            outbox::answer(cx, waiter, result.clone());
        } else {
            cx.tables.put_waiter(of, waiter);
        }
    }
    if later {
        cx.tables.put_shared_result(of, result);
        cx.emit(Effect::ResultDue { of });
    }
}

/// Passes it on to the next ones.
pub(crate) fn due(cx: &mut Context<'_, '_>, of: Lsn) {
    let Some(result) = cx.tables.shared_result(of) else { return }; // All of them have it.
    answer(cx, of, &result, copies(&result).max(1));
    if cx.tables.has_waiter(of) {
        cx.emit(Effect::ResultDue { of });
    } else {
        cx.tables.delete_shared_result(of);
    }
}

fn answer(cx: &mut Context<'_, '_>, of: Lsn, result: &NotificationResult, limit: usize) {
    for waiter in cx.tables.take_waiters(of, limit) {
        outbox::answer(cx, waiter, result.clone());
    }
}

/// How many copies one record stores; 0 if even one would be too many next to what the record
/// stores besides.
fn copies(result: &NotificationResult) -> usize {
    COPIES_BYTES_MAX / (COPY_BYTES + size::of_notification(result))
}
