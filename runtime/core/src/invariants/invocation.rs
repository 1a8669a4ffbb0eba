//! Each invocation agrees with the rows that its status requires.

use protocol::{
    HandlerKind,
    journal::{
        NotificationId,
        awaiting::Outcome,
        notification::{CANCEL_SIGNAL, SignalId},
    },
};

use super::{checked::Checked, removal};
use crate::{
    model::{
        ids::Lsn,
        invocation::{Invocation, Status, StatusKind, WaitingFor},
        timer::{Timer, TimerKey},
    },
    tables::Tables,
};

/// Checks one row, with a few reads.
pub(super) fn check(tables: &Tables<'_>, lsn: Lsn, invocation: &Invocation) -> Checked {
    let known = tables.invocation_lsn(invocation.id);
    ensure!(known == Some(lsn), "the id of {lsn:?} maps to {known:?}");
    let len = invocation.journal_len;
    let (last, next) = (len.checked_sub(1), len);
    let is_whole = last.is_none_or(|last| tables.journal_entry(lsn, last).is_some());
    ensure!(is_whole, "{lsn:?}: the last of {len} entries is missing");
    let is_more = tables.journal_entry(lsn, next).is_some();
    ensure!(!is_more, "{lsn:?} has more than {len} entries");
    check_attempts(tables, lsn, invocation)?;
    check_pause(lsn, invocation)?;
    let timer = |completion, at| tables.timer(&TimerKey { at, invocation: lsn, completion });
    match &invocation.status {
        Status::Waiting(WaitingFor::Start { at }) => {
            ensure!(timer(0, *at) == Some(Timer::Start), "{lsn:?} has no timer for its start");
        }
        Status::Waiting(WaitingFor::Retry { at }) => {
            ensure!(timer(0, *at) == Some(Timer::Retry), "{lsn:?} has no timer for its retry");
        }
        Status::Waiting(WaitingFor::Object { place }) => {
            let target = &invocation.target;
            let first = tables.first_in_inbox(&target.service, &target.key, *place);
            ensure!(first == Some((*place, lsn)), "{lsn:?} is not in the inbox of {target}");
        }
        Status::Waiting(WaitingFor::Notification { awaiting, seen }) => {
            let is_over = awaiting.is_resolved(&mut |id| tables.outcome(lsn, id, *seen));
            ensure!(!is_over, "{lsn:?} is suspended on a resolved tree: {awaiting:?} after {seen}");
        }
        Status::Running { .. } => {
            ensure!(invocation.running_at.is_some(), "{lsn:?} runs, but has never started");
        }
        Status::Paused => {
            ensure!(invocation.running_at.is_some(), "{lsn:?} is paused, but has never started");
            ensure!(invocation.pause.is_some(), "{lsn:?} is paused, but nobody knows why");
        }
        Status::Completed { at, completion } => {
            ensure!(completion.expires_at.is_some(), "{lsn:?} has ended, but has no expiry time");
            return removal::check_finished(tables, lsn, invocation, *at, completion.expires_at);
        }
    }
    if invocation.handler_kind == HandlerKind::Exclusive && invocation.running_at.is_some() {
        let target = &invocation.target;
        let object = tables.object(&target.service, &target.key);
        let is_holder = object.is_some_and(|object| object.holder == lsn);
        ensure!(is_holder, "{lsn:?} runs without the lock of {target}: {object:?}");
    }
    Ok(())
}

/// Only what runs or is paused has a reason for a pause.
fn check_pause(lsn: Lsn, invocation: &Invocation) -> Checked {
    let kind = invocation.status.kind();
    let may_be = matches!(kind, StatusKind::Running | StatusKind::Paused);
    ensure!(
        may_be || invocation.pause.is_none(),
        "{lsn:?} is {kind:?}, but has {:?}",
        invocation.pause
    );
    Ok(())
}

/// The count of unsent attempts and the pending cancellation are not stale.
fn check_attempts(tables: &Tables<'_>, lsn: Lsn, invocation: &Invocation) -> Checked {
    let kind = invocation.status.kind();
    if invocation.unsent > 0 {
        // Any progress resets the count; a pause or the end of the invocation leaves it unchanged.
        let may_be = matches!(
            kind,
            StatusKind::Running
                | StatusKind::BackingOff
                | StatusKind::Paused
                | StatusKind::Completed
        );
        ensure!(may_be, "{lsn:?} has {} unsent attempts, but is {kind:?}", invocation.unsent);
        ensure!(
            invocation.last_failure.is_some(),
            "{lsn:?} has unsent attempts, but no stored failure"
        );
    }
    if invocation.cancel_pending && kind != StatusKind::Completed {
        ensure!(
            invocation.running_at.is_some(),
            "{lsn:?} has a pending cancellation, but has never started"
        );
        let cancel = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));
        let is_there = tables.outcome(lsn, &cancel, 0) != Outcome::Pending;
        ensure!(is_there, "{lsn:?} has a pending cancellation, but no entry for it");
    }
    Ok(())
}
