//! Entries of journals.

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
    page::{Budget, Cursor, Page},
};

/// An entry of an invocation's journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub index: EntryIndex,
    /// When it was stored.
    pub at: Timestamp,
    /// The bytes that travel, and what kind of message they are.
    pub stored: Stored,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// What user code has asked for.
    Command(NamedCommand),
    /// What the runtime has delivered.
    Notification(Notification),
}

impl Entry {
    fn of(index: EntryIndex, row: JournalEntry) -> Self {
        Self { index, at: row.at, stored: row.entry }
    }

    /// Reads it; its values stay where they are.
    ///
    /// # Errors
    /// When it is of a kind that this version does not know.
    pub fn said(&self) -> Result<Said, WireError> {
        if self.stored.ty.is_notification() {
            wire::notification::decode(&self.stored).map(Said::Notification)
        } else {
            wire::command::decode(&self.stored).map(Said::Command)
        }
    }
}

/// Looks at one entry.
#[derive(Debug, Clone, Copy)]
pub struct One {
    /// Of which invocation.
    pub invocation: InvocationId,
    /// Which.
    pub index: EntryIndex,
}

impl View for One {
    type Seen = Option<Entry>;

    fn see(self, tables: &Tables<'_>) -> Option<Entry> {
        let row = tables.journal_entry(tables.invocation_lsn(self.invocation)?, self.index)?;
        Some(Entry::of(self.index, row))
    }
}

/// Looks at the journal of an invocation, in its order. A place in it is not taken for one in the journal of
/// a later invocation under the same id.
#[derive(Debug, Clone)]
pub struct List {
    /// Of which invocation.
    pub invocation: InvocationId,
    /// Where to go on.
    pub after: Option<Cursor>,
    /// How much may be read.
    pub budget: Budget,
}

impl View for List {
    type Seen = Page<Entry>;

    fn see(self, tables: &Tables<'_>) -> Page<Entry> {
        let Some(lsn) = tables.invocation_lsn(self.invocation) else { return Page::empty() };
        let walk = tables.walk_journal(lsn, self.after.as_ref().map(Cursor::key), self.budget);
        Page::of(walk, |_, (index, row)| Entry::of(index, row))
    }
}
