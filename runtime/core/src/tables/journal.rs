//! Key: invocation, index. Row: one journal entry as sent over the wire, and when it was stored.

use protocol::{
    journal::{Entry, EntryIndex},
    wire::MessageType,
};
use serde::{Deserialize, Serialize};

use super::{
    Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk},
};
use crate::{model::ids::Lsn, time::Timestamp};

/// A stored entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When it was stored.
    pub at: Timestamp,
    /// The entry, in the form in which it is replayed.
    pub entry: Entry,
}

impl Tables<'_> {
    /// The entry at `index`, if there is one.
    pub fn journal_entry(&self, invocation: Lsn, index: EntryIndex) -> Option<JournalEntry> {
        let key = Table::Journal.key().lsn(invocation).u32(index).done();
        self.get(&key).map(|row| expect_row!(row, Journal))
    }

    /// The first `len` entries.
    ///
    /// # Panics
    /// Panics if one of them is missing.
    pub fn journal(&self, invocation: Lsn, len: EntryIndex) -> Vec<Entry> {
        (0..len)
            .map(|index| match self.journal_entry(invocation, index) {
                Some(stored) => stored.entry,
                None => panic!("entry {index} of {len} of invocation {invocation:?} is missing"),
            })
            .collect()
    }

    /// The entries of an invocation in order, each with its index.
    pub fn walk_journal(
        &self,
        invocation: Lsn,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (EntryIndex, JournalEntry)> {
        let prefix = Table::Journal.key().lsn(invocation).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            let mut reader = KeyReader::new(key);
            reader.lsn()?;
            Some((reader.u32()?, expect_row!(row, Journal)))
        })
    }

    /// The entries of all invocations, ordered by the creation of the invocation, then by index.
    pub fn walk_journals(
        &self,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (Lsn, EntryIndex, JournalEntry)> {
        let range = Range::of(Table::Journal.key().done(), after);
        Walk::new(self, range, budget, |key, row| {
            let mut reader = KeyReader::new(key);
            Some((reader.lsn()?, reader.u32()?, expect_row!(row, Journal)))
        })
    }

    pub(crate) fn append_journal(&mut self, invocation: Lsn, index: EntryIndex, row: JournalEntry) {
        let is_first = row.entry.ty == MessageType::INPUT_COMMAND;
        assert!(is_first == (index == 0), "{invocation:?}: entry {index} is a {:?}", row.entry.ty);
        self.create(Table::Journal.key().lsn(invocation).u32(index).done(), Row::Journal(row));
    }

    pub(crate) fn delete_journal(&mut self, invocation: Lsn, len: EntryIndex) {
        for index in 0..len {
            self.delete(Table::Journal.key().lsn(invocation).u32(index).done());
        }
    }
}
