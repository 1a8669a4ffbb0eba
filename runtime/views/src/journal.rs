//! Journal entries.

use protocol::{
    InvocationId,
    journal::{Entry as Stored, EntryIndex, NamedCommand, Notification},
    wire::{self, WireError},
};
use runtime_core::{
    tables::{Tables, journal::JournalEntry},
    time::Timestamp,
};

use crate::{
    View,
    invocation::of_invocations,
    page::{Budget, Cursor, Page},
};

/// An entry of an invocation's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its index in the journal.
    pub index: EntryIndex,
    /// When it was stored.
    pub at: Timestamp,
    /// The encoded entry and its message type.
    pub stored: Stored,
}

/// A decoded entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A command that user code issued.
    Command(NamedCommand),
    /// A notification that the runtime delivered.
    Notification(Notification),
}

impl Entry {
    fn of(index: EntryIndex, row: JournalEntry) -> Self {
        Self { index, at: row.at, stored: row.entry }
    }

    /// Decodes the entry. Values share the encoded bytes.
    ///
    /// # Errors
    /// Returns an error if this version does not know the entry's type.
    pub fn content(&self) -> Result<Content, WireError> {
        if self.stored.ty.is_notification() {
            wire::notification::decode(&self.stored).map(Content::Notification)
        } else {
            wire::command::decode(&self.stored).map(Content::Command)
        }
    }
}

/// Reads one entry.
#[derive(Debug, Clone, Copy)]
pub struct One {
    /// The invocation that it belongs to.
    pub invocation: InvocationId,
    /// Its index.
    pub index: EntryIndex,
}

impl View for One {
    type Output = Option<Entry>;

    fn read(self, tables: &Tables<'_>) -> Option<Entry> {
        let row = tables.journal_entry(tables.invocation_lsn(self.invocation)?, self.index)?;
        Some(Entry::of(self.index, row))
    }
}

/// Reads the journal of an invocation, in order. A cursor does not carry over to the journal of a
/// later invocation with the same id.
#[derive(Debug, Clone)]
pub struct List {
    /// The invocation that the journal belongs to.
    pub invocation: InvocationId,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for List {
    type Output = Page<Entry>;

    fn read(self, tables: &Tables<'_>) -> Page<Entry> {
        let Some(lsn) = tables.invocation_lsn(self.invocation) else { return Page::empty() };
        let walk = tables.walk_journal(lsn, self.after.as_ref().map(Cursor::key), self.budget);
        Page::of(walk, |_, (index, row)| Entry::of(index, row))
    }
}

/// Reads the journals of all invocations, in the order in which these were created.
#[derive(Debug, Clone)]
pub struct All {
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for All {
    type Output = Page<(InvocationId, Entry)>;

    fn read(self, tables: &Tables<'_>) -> Self::Output {
        let walk = tables.walk_journals(self.after.as_ref().map(Cursor::key), self.budget);
        of_invocations(tables, walk, |(lsn, index, row)| (lsn, Entry::of(index, row)))
    }
}
