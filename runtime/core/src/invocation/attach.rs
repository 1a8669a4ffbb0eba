//! An invocation waits for, or queries, the result of another one.

use protocol::{InvocationId, TerminalFailure, journal::NotificationResult};

use super::purge;
use crate::{
    context::Context,
    model::{ids::Lsn, invocation::CallRef},
    outbox,
};

/// `from` requests the result of `target`: immediately, or, if `wait` is true, once there is one.
pub(crate) fn apply(cx: &mut Context<'_, '_>, from: CallRef, target: InvocationId, wait: bool) {
    let known = cx.tables.invocation_lsn(target).filter(|lsn| !purge::is_expired(cx, *lsn));
    match known {
        None => {
            outbox::answer(cx, from, NotificationResult::Failure(TerminalFailure::not_found()));
        }
        Some(lsn) if wait => wait_for(cx, lsn, from),
        Some(lsn) => {
            let status = &super::expect(cx.tables, lsn).status;
            let result = match status.completion() {
                Some(completion) => completion.result.clone().into(),
                None => NotificationResult::Void,
            };
            outbox::answer(cx, from, result);
        }
    }
}

/// Answers `from` with the result of `lsn`: immediately if it has completed, otherwise when it
/// does.
pub(crate) fn wait_for(cx: &mut Context<'_, '_>, lsn: Lsn, from: CallRef) {
    let invocation = super::expect(cx.tables, lsn);
    match invocation.status.completion().cloned() {
        Some(completion) => outbox::answer(cx, from, completion.result.clone().into()),
        None => {
            invocation.has_waiters = true;
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
