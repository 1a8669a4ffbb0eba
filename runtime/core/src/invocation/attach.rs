//! An invocation waits for, or queries, the result of another one.

use protocol::{InvocationId, TerminalFailure, journal::NotificationResult};

use crate::{
    context::Context,
    model::{
        ids::Lsn,
        invocation::{CallRef, Invocation},
    },
    outbox, shared_result,
};

/// `from` requests the result of `target`: immediately, or, if `wait` is true, once there is one.
pub(crate) fn apply(cx: &mut Context<'_, '_>, from: CallRef, target: InvocationId, wait: bool) {
    let known = cx.tables.invocation_lsn(target).map(|lsn| (lsn, super::read(cx.tables, lsn)));
    match known.filter(|(_, row)| !row.status.is_expired(cx.at)) {
        None => {
            outbox::answer(cx, from, NotificationResult::Failure(TerminalFailure::not_found()));
        }
        Some((lsn, row)) if wait || row.status.completion().is_some() => {
            wait_for(cx, lsn, &row, from);
        }
        Some(_) => outbox::answer(cx, from, NotificationResult::Void),
    }
}

/// Answers `from` with the result of `lsn`: immediately if it has completed, otherwise when it
/// does.
pub(crate) fn wait_for(cx: &mut Context<'_, '_>, lsn: Lsn, row: &Invocation, from: CallRef) {
    match row.status.completion() {
        Some(completion) => {
            shared_result::pass_on_to(cx, lsn, completion.result.clone().into(), from);
        }
        None => {
            super::expect(cx.tables, lsn).has_waiters = true;
            cx.tables.put_waiter(lsn, from);
        }
    }
}

/// `from` has ended and no longer waits for `target`. Its waiter row is removed so that a later
/// invocation with the same id does not get the answer.
pub(crate) fn detach(cx: &mut Context<'_, '_>, from: CallRef, target: InvocationId) {
    if let Some(lsn) = cx.tables.invocation_lsn(target) {
        cx.tables.delete_waiter(lsn, &from);
    }
}
