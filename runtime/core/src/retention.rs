//! Finished invocations go when their time is up, and earlier, oldest first, when they take more
//! room than they may. In small steps: a record removes at most `limit`.

use crate::{context::Context, invocation::purge, tables::expiry::Expiring, time::Timestamp};

pub(crate) fn apply(cx: &mut Context<'_, '_>, budget_bytes: u64, limit: u32) {
    let mut from = Timestamp(0);
    for _ in 0..limit {
        let Some((at, lsn, what)) = cx.tables.next_expiry(from) else { return };
        let is_over_budget = cx.tables.meta().retained_bytes > budget_bytes;
        if at > cx.at && !is_over_budget {
            return;
        }
        match what {
            Expiring::Journal => {
                cx.tables.delete_expiry(at, lsn, Expiring::Journal);
                purge::remove_journal(cx, lsn);
            }
            Expiring::All => purge::remove(cx, lsn),
        }
        from = at;
    }
}
