//! An attempt suspends: it cannot continue until something it waits for arrives.

use protocol::journal::{Awaiting, EntryIndex};

use super::{change_status, got_further, pause, running, start_attempt};
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
    let is_paused = invocation.pause.is_some();
    // Only entries that the attempt was not shown can resolve the tree: the attempt has already
    // taken the others into account.
    let is_resolved = cx.tables.is_resolved(lsn, awaiting, seen);
    let waiting = WaitingFor::Notification { awaiting: awaiting.clone(), seen };
    if is_paused {
        if !is_resolved {
            got_further(super::expect(cx.tables, lsn));
        }
        pause::after_attempt(cx, lsn, Some(waiting));
    } else if is_resolved {
        start_attempt(cx, lsn);
    } else {
        change_status(cx, lsn, Status::Waiting(waiting), got_further);
    }
}
