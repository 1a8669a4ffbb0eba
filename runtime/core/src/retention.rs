//! Finished invocations go when their time is up, and some of them earlier when they take more room
//! than they may. In small steps: a record makes at most `limit` removals.
//!
//! What goes early, in this order: the journals and inputs of all, oldest first, then invocations
//! whose result nobody was promised. A result that an idempotency key or a workflow promises stays for
//! as long as that: to run its handler again would break the promise in silence.

use crate::{
    context::Context, invocation::purge, model::ids::Lsn, tables::expiry::Expiring, time::Timestamp,
};

pub(crate) fn cleanup(cx: &mut Context<'_, '_>, budget_bytes: u64, limit: u32) {
    for _ in 0..limit {
        if let Some((at, lsn, what)) = cx.tables.next_expiry(Timestamp(0))
            && at <= cx.at
        {
            expire(cx, at, lsn, what);
        } else if cx.tables.meta().retained_bytes > budget_bytes
            && let Some((lsn, what)) = cx.tables.next_early()
        {
            match what {
                Expiring::Journal => purge::journal(cx, lsn),
                Expiring::All | Expiring::Promise => purge::remove(cx, lsn),
            }
        } else {
            return;
        }
    }
}

fn expire(cx: &mut Context<'_, '_>, at: Timestamp, lsn: Lsn, what: Expiring) {
    match what {
        Expiring::Journal => purge::journal(cx, lsn),
        Expiring::All => purge::remove(cx, lsn),
        Expiring::Promise => purge::promise(cx, at, lsn),
    }
}

/// Format 1: when room is short the oldest goes first, whatever was promised.
pub(crate) fn apply(cx: &mut Context<'_, '_>, budget_bytes: u64, limit: u32) {
    for _ in 0..limit {
        let Some((at, lsn, what)) = cx.tables.next_expiry(Timestamp(0)) else { return };
        let is_over_budget = cx.tables.meta().retained_bytes > budget_bytes;
        if at > cx.at && !is_over_budget {
            return;
        }
        expire(cx, at, lsn, what);
    }
}
