//! Removing finished invocations and everything that belongs to them.

use protocol::HandlerKind;

use crate::{
    context::Context,
    effect::Effect,
    event::Rules,
    model::{
        ids::Lsn,
        invocation::{Invocation, Retention, Status, StatusKind},
        operation::Outcome,
    },
    shared_result,
    tables::expiry::{Expiring, PromiseName, ROWS_BYTES},
    time::Timestamp,
};

/// How long a promise is kept if its workflow has not run, in milliseconds: 30 days. Another
/// handler completed it or waits for it ahead of the run, which may start much later; after a month
/// without any invocation of that workflow we assume that it never will.
const PROMISE_WITHOUT_RUN_MS: u64 = 30 * 24 * 3_600_000;

/// Keeps a finished invocation until `expires_at`.
pub(crate) fn retain(cx: &mut Context<'_, '_>, lsn: Lsn, expires_at: Timestamp) {
    let (at, follows) = (cx.at, cx.follows(Rules::V2));
    let invocation = super::expect(cx.tables, lsn);
    let (retention, journal_bytes) = (invocation.retention, bytes_with_journal(invocation));
    assert!(expires_at > at, "{lsn:?} ended at {at:?} and is kept until {expires_at:?}");
    let completion = invocation.status.completion();
    let result_bytes = completion.map_or(0, |completion| completion.result_bytes());
    let bytes = if follows {
        let bytes = ROWS_BYTES + result_bytes as u64;
        cx.tables.put_expiry_of_all(expires_at, lsn, bytes);
        bytes
    } else {
        cx.tables.put_expiry(expires_at, lsn, Expiring::All);
        ROWS_BYTES
    };
    cx.tables.meta_mut().retained_bytes += bytes + journal_bytes;
    cx.emit(Effect::ArmExpiry { at: expires_at });
    let has_journal_time = retention.journal_ms < retention.completion_ms;
    let journal_until = at.after_ms(retention.journal_ms);
    if has_journal_time && journal_until <= at {
        return remove_journal(cx, lsn);
    }
    if follows {
        cx.tables.put_early(Expiring::Journal, at, lsn);
    }
    if has_journal_time {
        cx.tables.put_expiry(journal_until, lsn, Expiring::Journal);
        cx.emit(Effect::ArmExpiry { at: journal_until });
    }
}

/// Removes a finished invocation before it expires.
pub(crate) fn of(cx: &mut Context<'_, '_>, lsn: Lsn) -> Outcome {
    of_finished(cx, lsn, remove)
}

/// Removes the journal of a finished invocation before it expires, if it is still there.
pub(crate) fn of_journal(cx: &mut Context<'_, '_>, lsn: Lsn) -> Outcome {
    of_finished(cx, lsn, |cx, lsn| {
        if super::expect(cx.tables, lsn).journal_len > 0 {
            journal(cx, lsn);
        }
    })
}

/// Does what can only be done to a finished invocation.
fn of_finished(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    purge: fn(&mut Context<'_, '_>, Lsn),
) -> Outcome {
    let status = super::expect(cx.tables, lsn).status.kind();
    if status != StatusKind::Completed {
        return Outcome::Refused(status);
    }
    purge(cx, lsn);
    Outcome::Done
}

/// Subtracts removed bytes from the total retained.
fn release(cx: &mut Context<'_, '_>, bytes: u64) {
    let lsn = cx.lsn;
    let meta = cx.tables.meta_mut();
    match meta.retained_bytes.checked_sub(bytes) {
        Some(left) => meta.retained_bytes = left,
        None => panic!(
            "{lsn:?}: {bytes} bytes of finished invocations are released, but only {} are counted",
            meta.retained_bytes
        ),
    }
}

/// Whether its result is promised to callers that may ask again: it has an idempotency key, or is a
/// workflow run.
pub(crate) fn is_promised(invocation: &Invocation) -> bool {
    invocation.idempotency_key.is_some() || invocation.handler_kind == HandlerKind::Workflow
}

/// Removes it if its retention has expired, so that it counts as absent; returns whether it had.
pub(crate) fn if_expired(cx: &mut Context<'_, '_>, lsn: Lsn) -> bool {
    let is_expired = super::read(cx.tables, lsn).status.is_expired(cx.at);
    if is_expired {
        remove(cx, lsn);
    }
    is_expired
}

/// Removes a finished invocation with everything that belongs to it.
pub(crate) fn remove(cx: &mut Context<'_, '_>, lsn: Lsn) {
    shared_result::keep(cx, lsn);
    let invocation = super::expect(cx.tables, lsn);
    let Status::Completed { at, completion } = &invocation.status else {
        panic!("{:?}: {lsn:?} is removed but is {:?}", cx.lsn, invocation.status)
    };
    let (completed_at, expires_at) = (*at, completion.expires_at);
    assert!(completed_at <= cx.at, "{:?}: {lsn:?} has ended at {completed_at:?}", cx.lsn);
    let (id, target) = (invocation.id, invocation.target.clone());
    let (kind, retention) = (invocation.handler_kind, invocation.retention);
    let (journal_len, journal_bytes) = (invocation.journal_len, bytes_with_journal(invocation));
    let incidents = invocation.incidents;
    let (pin, is_promised) = (invocation.pin, is_promised(invocation));
    if let Some(expires_at) = expires_at {
        let bytes = cx.tables.take_expiry_of_all(expires_at, lsn);
        if journal_len > 0 {
            forget_journal(cx, lsn, retention, completed_at);
        } else if !is_promised {
            cx.tables.delete_early(Expiring::All, completed_at, lsn);
        }
        release(cx, bytes + journal_bytes);
    }
    cx.tables.delete_journal(lsn, journal_len);
    cx.tables.delete_incidents(lsn, incidents);
    cx.tables.unindex_status(StatusKind::Completed, lsn);
    let pinned_to = pin.map(|pin| pin.deployment);
    cx.tables.tally(&target.service, pinned_to, Some(StatusKind::Completed), None);
    cx.tables.unindex_target(&target, lsn);
    if let Some(deployment) = pinned_to {
        cx.tables.unindex_deployment(deployment, lsn);
    }
    if kind == HandlerKind::Workflow {
        cx.tables.clear_all_state(&target.service, &target.key);
        cx.tables.delete_promises(&target.service, &target.key);
    }
    cx.tables.delete_invocation(lsn, id);
}

/// What is removed with its journal, in bytes.
pub(crate) fn bytes_with_journal(invocation: &Invocation) -> u64 {
    invocation.journal_bytes + invocation.incident_bytes
}

/// Removes the journal of a finished invocation, when it expires or earlier; status and result
/// stay.
pub(crate) fn journal(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let invocation = super::expect(cx.tables, lsn);
    let (retention, ended_at) = (invocation.retention, ended_at(invocation));
    forget_journal(cx, lsn, retention, ended_at);
    remove_journal(cx, lsn);
}

/// Deletes the rows that schedule the journal's removal.
fn forget_journal(cx: &mut Context<'_, '_>, lsn: Lsn, retention: Retention, ended_at: Timestamp) {
    cx.tables.delete_early(Expiring::Journal, ended_at, lsn);
    if retention.journal_ms < retention.completion_ms {
        let until = ended_at.after_ms(retention.journal_ms);
        cx.tables.delete_expiry(until, lsn, Expiring::Journal);
    }
}

fn remove_journal(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let follows = cx.follows(Rules::V2);
    let invocation = super::expect(cx.tables, lsn);
    let (len, bytes) = (invocation.journal_len, bytes_with_journal(invocation));
    let (ended_at, is_promised) = (ended_at(invocation), is_promised(invocation));
    let incidents = std::mem::take(&mut invocation.incidents);
    invocation.journal_len = 0;
    invocation.journal_bytes = 0;
    invocation.incident_bytes = 0;
    cx.tables.delete_journal(lsn, len);
    cx.tables.delete_incidents(lsn, incidents);
    release(cx, bytes);
    if follows && !is_promised {
        cx.tables.put_early(Expiring::All, ended_at, lsn);
    }
}

fn ended_at(invocation: &Invocation) -> Timestamp {
    match invocation.status {
        Status::Completed { at, .. } => at,
        Status::Waiting(_) | Status::Running { .. } | Status::Paused => {
            panic!("the journal of {} is removed but it has not ended", invocation.id)
        }
    }
}

/// Schedules the removal of a promise that a handler other than the workflow's run created. The run
/// removes its promises when it is removed itself; if it never starts, they expire.
pub(crate) fn schedule_promise(cx: &mut Context<'_, '_>, name: PromiseName) {
    let (at, lsn) = (cx.at.after_ms(PROMISE_WITHOUT_RUN_MS), cx.lsn);
    cx.tables.put_expiry_of_promise(at, lsn, name);
    cx.emit(Effect::ArmExpiry { at });
}

/// A promise expires: it is removed, unless an invocation of that workflow exists, which may wait
/// for it or query it.
pub(crate) fn promise(cx: &mut Context<'_, '_>, at: Timestamp, lsn: Lsn) {
    let name = cx.tables.take_expiry_of_promise(at, lsn);
    let PromiseName { workflow, key, name: own } = &name;
    if cx.tables.promise(workflow, key, own).is_none() {
        return; // It was removed with the run.
    }
    if cx.tables.has_invocation_of(workflow, key) {
        let at = cx.at.after_ms(PROMISE_WITHOUT_RUN_MS);
        cx.tables.put_expiry_of_promise(at, lsn, name);
        cx.emit(Effect::ArmExpiry { at });
    } else {
        cx.tables.delete_promise(workflow, key, own);
    }
}
