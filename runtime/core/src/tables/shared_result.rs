//! Key: the LSN that the waiter rows begin with. Row: where the result is that is passed on to
//! them.

use protocol::journal::NotificationResult;
use serde::{Deserialize, Serialize};

use super::{
    Key, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk},
};
use crate::model::ids::Lsn;

/// A result that is being passed on to those that wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SharedResult {
    /// It is the result of the invocation that the key names.
    OfInvocation,
    /// It is in this row.
    Here(Box<NotificationResult>),
}

impl Tables<'_> {
    pub(crate) fn shared_result(&self, of: Lsn) -> Option<SharedResult> {
        self.get(&row_key(of)).map(|row| expect_row!(row, SharedResult))
    }

    /// Estimate of the size of a shared result, in bytes; 0 if there is none.
    pub(crate) fn shared_result_bytes(&self, of: Lsn) -> usize {
        match self.size(&row_key(of)) {
            0 => 0,
            bytes => bytes + self.invocation_bytes(of),
        }
    }

    /// The results that are still being passed on.
    pub fn walk_shared_results(&self, after: Option<&[u8]>, budget: Budget) -> Walk<'_, Lsn> {
        let prefix = Table::SharedResult.key().done();
        Walk::new(self, Range::of(prefix, after), budget, |key, _| KeyReader::new(key).lsn())
    }

    pub(crate) fn put_shared_result(&mut self, of: Lsn, result: SharedResult) {
        self.put(row_key(of), Row::SharedResult(result));
    }

    pub(crate) fn delete_shared_result(&mut self, of: Lsn) {
        self.delete(row_key(of));
    }
}

fn row_key(of: Lsn) -> Key {
    Table::SharedResult.key().lsn(of).done()
}
