//! Finished invocations are removed when they expire, and some of them earlier when they exceed
//! their space budget. Removal goes in small steps: a record makes at most `limit` removals.
//!
//! Early removal takes, oldest first, the journals and inputs of all finished invocations, then the
//! invocations whose result was not promised. A result promised by an idempotency key or a workflow
//! stays until it expires: running the handler again would silently break the promise.

use crate::{
    context::Context, event::Rules, invocation::purge, model::ids::Lsn, tables::expiry::Expiring,
    time::Timestamp,
};

/// A record makes no more removals once they have freed this many bytes: those of large rows take
/// their time.
const FREED_BYTES_MAX: u64 = 16 << 20;

pub(crate) fn cleanup(cx: &mut Context<'_, '_>, budget_bytes: u64, limit: u32) {
    let before_bytes = cx.tables.meta().retained_bytes;
    for _ in 0..limit {
        let retained_bytes = cx.tables.meta().retained_bytes;
        let freed_bytes = before_bytes.saturating_sub(retained_bytes);
        if cx.follows(Rules::V5) && freed_bytes >= FREED_BYTES_MAX {
            return;
        }
        if let Some((at, lsn, what)) = cx.tables.next_expiry(Timestamp(0))
            && at <= cx.at
        {
            expire(cx, at, lsn, what);
        } else if retained_bytes > budget_bytes
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

/// Format 1: over budget, what expires first is removed first, promised or not.
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
