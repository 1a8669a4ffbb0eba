//! A finished invocation goes, and what belongs to it.

use protocol::HandlerKind;

use crate::{
    Lsn,
    context::Context,
    effect::Effect,
    tables::{
        expiry::Expiring,
        invocation::{Status, StatusKind},
    },
    time::Timestamp,
};

/// What a finished invocation costs beside its journal: its row and the rows of its indexes.
const ROWS_BYTES: u64 = 1024;

/// Estimate of the bytes a finished invocation takes.
pub(crate) fn retained_bytes(journal_bytes: u64) -> u64 {
    ROWS_BYTES + journal_bytes
}

/// Whether it has ended and its retention is over: then it counts as absent, removed or not.
pub(crate) fn is_expired(cx: &mut Context<'_, '_>, lsn: Lsn) -> bool {
    let at = cx.at;
    match &super::expect(cx.tables, lsn).status {
        Status::Completed { completion, .. } => {
            completion.expires_at.is_none_or(|expires_at| expires_at <= at)
        }
        Status::Waiting(_) | Status::Running { .. } | Status::Paused => false,
    }
}

/// Removes it if it is expired; returns whether it was.
pub(crate) fn if_expired(cx: &mut Context<'_, '_>, lsn: Lsn) -> bool {
    let is_expired = is_expired(cx, lsn);
    if is_expired {
        remove(cx, lsn);
    }
    is_expired
}

/// Removes a finished invocation with everything that belongs to it.
pub(crate) fn remove(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let invocation = super::expect(cx.tables, lsn);
    let Status::Completed { at, completion } = &invocation.status else {
        panic!("{:?}: {lsn:?} is removed but is {:?}", cx.lsn, invocation.status)
    };
    let (completed_at, expires_at) = (*at, completion.expires_at);
    let (id, target) = (invocation.id, invocation.target.clone());
    let (kind, retention) = (invocation.handler_kind, invocation.retention);
    let (journal_len, journal_bytes) = (invocation.journal_len, invocation.journal_bytes);
    let pin = invocation.pin;
    if let Some(expires_at) = expires_at {
        cx.tables.delete_expiry(expires_at, lsn, Expiring::All);
        if journal_len > 0 && retention.journal_ms < retention.completion_ms {
            let journal_until = completed_at.after_ms(retention.journal_ms);
            cx.tables.delete_expiry(journal_until, lsn, Expiring::Journal);
        }
        let meta = cx.tables.meta_mut();
        meta.retained_bytes = meta.retained_bytes.saturating_sub(retained_bytes(journal_bytes));
    }
    cx.tables.delete_journal(lsn, journal_len);
    cx.tables.unindex_status(StatusKind::Completed, lsn);
    cx.tables.unindex_target(&target, lsn);
    if let Some(pin) = pin {
        cx.tables.unindex_deployment(pin.deployment, lsn);
    }
    if kind == HandlerKind::Workflow {
        cx.tables.clear_all_state(&target.service, &target.key);
        cx.tables.delete_promises(&target.service, &target.key);
    }
    cx.tables.delete_invocation(lsn, id);
}

/// The journal goes before the rest.
pub(crate) fn schedule_journal(cx: &mut Context<'_, '_>, lsn: Lsn, at: Timestamp) {
    if at <= cx.at {
        remove_journal(cx, lsn);
    } else {
        cx.tables.put_expiry(at, lsn, Expiring::Journal);
        cx.emit(Effect::ArmExpiry { at });
    }
}

/// Removes the journal of a finished invocation; status and result stay.
pub(crate) fn remove_journal(cx: &mut Context<'_, '_>, lsn: Lsn) {
    let invocation = super::expect(cx.tables, lsn);
    let (len, bytes) = (invocation.journal_len, invocation.journal_bytes);
    invocation.journal_len = 0;
    invocation.journal_bytes = 0;
    cx.tables.delete_journal(lsn, len);
    let meta = cx.tables.meta_mut();
    meta.retained_bytes = meta.retained_bytes.saturating_sub(bytes);
}
