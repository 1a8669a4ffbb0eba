//! A result that several invocations wait for. It is passed on to as many of them at a time as a
//! record may store copies for: the result of one invocation, or one promise, may be large, and
//! any number of handlers may wait for it.
//!
//! Those that wait have waiter rows, which begin with the LSN of the invocation, or of the record
//! that completed the promise. While some of them are left, so is a row that says where the result
//! is. What they waited for may be removed before they have it.

use protocol::journal::NotificationResult;

use crate::{
    context::Context,
    effect::Effect,
    event::Rules,
    model::{ids::Lsn, invocation::CallRef},
    outbox, size,
    tables::shared_result::SharedResult,
};

/// How many bytes of copies one record stores.
const COPIES_BYTES_MAX: usize = 1 << 20;

/// What a copy takes in addition to the result.
const COPY_BYTES: usize = 256;

/// An invocation has ended: passes its result on to all that wait for it, to some of them now and
/// to the rest later.
pub(crate) fn pass_on(cx: &mut Context<'_, '_>, invocation: Lsn, result: &NotificationResult) {
    let at_once = if cx.follows(Rules::V5) { copies(result) } else { usize::MAX };
    answer(cx, invocation, result, at_once);
    if cx.tables.has_waiter(invocation) {
        share(cx, invocation, SharedResult::OfInvocation);
    }
}

/// Passes the result of an invocation that has ended on to one more: now, or, if it is large,
/// later.
pub(crate) fn pass_on_to(
    cx: &mut Context<'_, '_>,
    invocation: Lsn,
    result: NotificationResult,
    waiter: CallRef,
) {
    if !cx.follows(Rules::V5) || copies(&result) > 0 {
        return outbox::answer(cx, waiter, result);
    }
    cx.tables.put_waiter(invocation, waiter);
    if cx.tables.shared_result(invocation).is_none() {
        share(cx, invocation, SharedResult::OfInvocation);
    }
}

/// Passes the result of a promise on to all that wait for it, to some of them now and to the rest
/// later.
pub(crate) fn pass_on_promise(
    cx: &mut Context<'_, '_>,
    waiters: Vec<CallRef>,
    result: NotificationResult,
) {
    let (of, at_once) = (cx.lsn, copies(&result));
    let is_left = waiters.len() > at_once;
    for (position, waiter) in waiters.into_iter().enumerate() {
        if position < at_once {
            outbox::answer(cx, waiter, result.clone());
        } else {
            cx.tables.put_waiter(of, waiter);
        }
    }
    if is_left {
        share(cx, of, SharedResult::Here(Box::new(result)));
    }
}

/// Passes a shared result on to the next ones.
pub(crate) fn due(cx: &mut Context<'_, '_>, of: Lsn) {
    let result = match cx.tables.shared_result(of) {
        None => return, // All of them have it.
        Some(SharedResult::Here(result)) => *result,
        Some(SharedResult::OfInvocation) => of_invocation(cx, of),
    };
    answer(cx, of, &result, copies(&result).max(1));
    if cx.tables.has_waiter(of) {
        cx.emit(Effect::ResultDue { of });
    } else {
        cx.tables.delete_shared_result(of);
    }
}

/// Keeps the result of an invocation that is about to be removed, if some still wait for it.
pub(crate) fn keep(cx: &mut Context<'_, '_>, invocation: Lsn) {
    if cx.tables.shared_result(invocation).is_some() {
        let result = of_invocation(cx, invocation);
        cx.tables.put_shared_result(invocation, SharedResult::Here(Box::new(result)));
    }
}

fn share(cx: &mut Context<'_, '_>, of: Lsn, result: SharedResult) {
    cx.tables.put_shared_result(of, result);
    cx.emit(Effect::ResultDue { of });
}

fn answer(cx: &mut Context<'_, '_>, of: Lsn, result: &NotificationResult, limit: usize) {
    for waiter in cx.tables.take_waiters(of, limit) {
        outbox::answer(cx, waiter, result.clone());
    }
}

fn of_invocation(cx: &Context<'_, '_>, lsn: Lsn) -> NotificationResult {
    let invocation = cx.tables.invocation(lsn);
    let completion = invocation.as_ref().and_then(|invocation| invocation.status.completion());
    match completion {
        Some(completion) => completion.result.clone().into(),
        None => panic!("{:?}: {lsn:?} shares its result, but has none", cx.lsn),
    }
}

/// How many copies one record stores; 0 if even one would be too many next to what the record
/// stores besides.
fn copies(result: &NotificationResult) -> usize {
    COPIES_BYTES_MAX / (COPY_BYTES + size::of_notification(result))
}
