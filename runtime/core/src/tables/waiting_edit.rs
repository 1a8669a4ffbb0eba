//! Key: service, key, LSN. Row: an edit of state that waits until no invocation holds its key. The
//! LSN is that of the record that queued it, so that edits and the inbox share one order.

use super::{
    Key, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk, Within},
};
use crate::model::{ids::Lsn, state_edit::WaitingEdit};

/// How many edits of a key may wait: all of them may be applied in one record.
pub const WAITING_MAX: usize = 64;
/// How many bytes they may have together.
pub const WAITING_BYTES_MAX: usize = 16 << 20;

impl Tables<'_> {
    /// The edits that wait, each with its place, ordered by service, key and place.
    pub fn walk_waiting_edits(
        &self,
        within: &Within,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (Lsn, WaitingEdit)> {
        let prefix = Table::WaitingEdit.key().within(within).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            let mut reader = KeyReader::new(key);
            let (_service, _key) = (reader.bytes()?, reader.bytes()?);
            Some((reader.lsn()?, *expect_row!(row, WaitingEdit)))
        })
    }

    /// Whether any edit waits, of any key. Nearly always none does, and then this reads no row.
    pub(crate) fn has_waiting_edits(&mut self) -> bool {
        let prefix = Table::WaitingEdit.key().done();
        self.first_of(prefix.clone(), &prefix).is_some()
    }

    pub(crate) fn push_waiting_edit(&mut self, place: Lsn, waiting: WaitingEdit) {
        let key = row_key(&waiting.edit.service, &waiting.edit.key, place);
        self.create(key, Row::WaitingEdit(Box::new(waiting)));
    }

    pub(crate) fn delete_waiting_edit(&mut self, service: &str, key: &str, place: Lsn) {
        self.delete(row_key(service, key, place));
    }
}

fn row_key(service: &str, key: &str, place: Lsn) -> Key {
    Table::WaitingEdit.key().bytes(service.as_bytes()).bytes(key.as_bytes()).lsn(place).done()
}
