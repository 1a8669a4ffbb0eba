//! An attempt suspends: it cannot continue until something it waits for arrives.

use protocol::journal::{Awaiting, EntryIndex};

use super::{change_status, got_further, running, start_attempt};
use crate::{
    context::Context,
    model::{
        ids::AttemptRef,
        invocation::{Status, WaitingFor},
    },
};

pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    attempt: AttemptRef,
    awaiting: &Awaiting,
    seen: EntryIndex,
) {
    let record = cx.lsn;
    let Some(invocation) = running(cx.tables, attempt) else { return };
    let len = invocation.journal_len;
    assert!(seen <= len, "{record:?}: {attempt:?} was shown {seen} entries of {len}");
    invocation.policy_attempts = 0;
    invocation.retry_count = 0;
    invocation.unsent = 0;
    let lsn = attempt.invocation;
    // Only entries that the attempt was not shown can resolve the tree: the attempt has already
    // taken the others into account.
    if cx.tables.is_resolved(lsn, awaiting, seen) {
        start_attempt(cx, lsn);
    } else {
        let waiting = WaitingFor::Notification { awaiting: awaiting.clone(), seen };
        change_status(cx, lsn, Status::Waiting(waiting), got_further);
    }
}
