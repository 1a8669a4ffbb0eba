//! Every waiter waits for an invocation that has not ended, or for a result that is being passed
//! on.

use super::checked::{Checked, rows};
use crate::{
    model::invocation::StatusKind,
    tables::{Table, Tables, key::KeyReader},
};

pub(super) fn check(tables: &Tables<'_>) -> Checked {
    for (key, row) in rows(tables, Table::Waiter) {
        let lsn = KeyReader::new(&key).lsn().ok_or("a waiter has a broken key")?;
        let invocation = tables.invocation(lsn);
        let is_live = invocation.is_some_and(|invocation| {
            invocation.has_waiters && invocation.status.kind() != StatusKind::Completed
        });
        let has_result = tables.shared_result(lsn).is_some();
        ensure!(is_live != has_result, "{row:?} waits for {lsn:?}, which has ended, or has not");
    }
    Ok(())
}
