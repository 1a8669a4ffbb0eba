//! An invocation waits for, or queries, the result of another one.

use protocol::{InvocationId, TerminalFailure, journal::NotificationResult};

use crate::{
    context::Context,
    model::{ids::Lsn, invocation::CallRef},
    outbox, shared_result,
};

/// `from` requests the result of `target`: immediately, or, if `wait` is true, once there is one.
pub(crate) fn apply(cx: &mut Context<'_, '_>, from: CallRef, target: InvocationId, wait: bool) {
    // Read only: its row may be large, and does not change if it has ended.
    let row = |lsn| Some((lsn, cx.tables.invocation(lsn)?));
    let known = cx.tables.invocation_lsn(target).and_then(row);
    match known.filter(|(_, row)| !row.status.is_expired(cx.at)) {
        None => {
            outbox::answer(cx, from, NotificationResult::Failure(TerminalFailure::not_found()));
        }
        Some((lsn, row)) => match row.status.completion() {
            Some(completion) => {
                shared_result::pass_on_to(cx, lsn, completion.result.clone().into(), from);
            }
            None if wait => add(cx, lsn, from),
            None => outbox::answer(cx, from, NotificationResult::Void),
        },
    }
}

/// Answers `from` with the result of `lsn`: immediately if it has completed, otherwise when it
/// does.
pub(crate) fn wait_for(cx: &mut Context<'_, '_>, lsn: Lsn, from: CallRef) {
    let row = cx.tables.invocation(lsn);
    match row.as_ref().and_then(|row| row.status.completion()) {
        Some(completion) => {
            shared_result::pass_on_to(cx, lsn, completion.result.clone().into(), from);
        }
        None => add(cx, lsn, from),
    }
}

fn add(cx: &mut Context<'_, '_>, lsn: Lsn, from: CallRef) {
    super::expect(cx.tables, lsn).has_waiters = true;
    cx.tables.put_waiter(lsn, from);
}

/// `from` has ended and no longer waits for `target`. Its waiter row is removed so that a later
/// invocation with the same id does not get the answer.
pub(crate) fn detach(cx: &mut Context<'_, '_>, from: CallRef, target: InvocationId) {
    if let Some(lsn) = cx.tables.invocation_lsn(target) {
        cx.tables.delete_waiter(lsn, &from);
    }
}
