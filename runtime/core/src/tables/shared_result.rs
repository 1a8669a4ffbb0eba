//! Key: the LSN that the waiter rows begin with. Row: the result that is passed on to them.

use protocol::journal::NotificationResult;

use super::{Key, Row, Table, Tables, key::KeyReader, row::expect_row, walk::Budget, walk::Walk};
use crate::model::ids::Lsn;

impl Tables<'_> {
    pub(crate) fn shared_result(&self, of: Lsn) -> Option<NotificationResult> {
        self.get(&row_key(of)).map(|row| *expect_row!(row, SharedResult))
    }

    /// Size of a shared result in bytes; 0 if there is none.
    pub(crate) fn shared_result_bytes(&self, of: Lsn) -> usize {
        self.size(&row_key(of))
    }

    /// The results that are still being passed on.
    pub fn walk_shared_results(&self, after: Option<&[u8]>, budget: Budget) -> Walk<'_, Lsn> {
        let prefix = Table::SharedResult.key().done();
        Walk::new(self, (prefix.clone(), prefix), after, budget, |key, _| KeyReader::new(key).lsn())
    }

    pub(crate) fn put_shared_result(&mut self, of: Lsn, result: NotificationResult) {
        self.create(row_key(of), Row::SharedResult(Box::new(result)));
    }

    pub(crate) fn delete_shared_result(&mut self, of: Lsn) {
        self.delete(row_key(of));
    }
}

fn row_key(of: Lsn) -> Key {
    Table::SharedResult.key().lsn(of).done()
}
