//! Key: invocation (or the LSN that completed a promise), waiting invocation and its completion.
//! Row: the invocation and completion that wait for the result.

use super::{Key, Row, Table, Tables, row::expect_row};
use crate::model::{ids::Lsn, invocation::CallRef};

impl Tables<'_> {
    pub(crate) fn put_waiter(&mut self, of: Lsn, waiter: CallRef) {
        self.put(row_key(of, &waiter), Row::Waiter(waiter));
    }

    /// Deletes a waiter, if it is one.
    pub(crate) fn delete_waiter(&mut self, invocation: Lsn, waiter: &CallRef) {
        let key = row_key(invocation, waiter);
        // A later invocation with the same id may be waiting by now.
        if self.get(&key) == Some(Row::Waiter(*waiter)) {
            self.delete(key);
        }
    }

    /// Whether there is a waiter.
    pub(crate) fn has_waiter(&self, of: Lsn) -> bool {
        let prefix = Table::Waiter.key().lsn(of).done();
        self.seek(&prefix, &prefix).is_some()
    }

    /// Deletes the first waiters, up to `limit`, and returns them.
    pub(crate) fn take_waiters(&mut self, of: Lsn, limit: usize) -> Vec<CallRef> {
        let prefix = Table::Waiter.key().lsn(of).done();
        let (mut waiters, mut from) = (Vec::new(), prefix.clone());
        while waiters.len() < limit
            && let Some((key, row)) = self.seek(&prefix, &from)
        {
            waiters.push(expect_row!(row, Waiter));
            self.delete(key.clone());
            from = key;
            from.push(0);
        }
        waiters
    }
}

fn row_key(invocation: Lsn, waiter: &CallRef) -> Key {
    let key = Table::Waiter.key().lsn(invocation);
    key.u128(waiter.id.uuid).u64(waiter.id.partition_key.0).u32(waiter.completion).done()
}
