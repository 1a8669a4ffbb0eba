//! Inboxes: invocations that wait for the lock of a virtual object.

use protocol::InvocationId;
use runtime_core::{Lsn, tables::Tables, time::Timestamp};

use crate::{
    View, invocation,
    page::{Budget, Cursor, Page, Within},
};

/// An invocation waiting for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of the object's service.
    pub service: String,
    /// Key of the object.
    pub key: String,
    /// Its position in the queue. The smaller one goes first.
    pub place: Lsn,
    /// The invocation that waits.
    pub invocation: InvocationId,
    /// Since when it has been waiting.
    pub since: Timestamp,
}

/// Reads inboxes by service and key, each in queue order.
#[derive(Debug, Clone)]
pub struct List {
    /// The objects to include.
    pub within: Within,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for List {
    type Output = Page<Entry>;

    fn read(self, tables: &Tables<'_>) -> Page<Entry> {
        let after = self.after.as_ref().map(Cursor::key);
        Page::of(tables.walk_inbox(&self.within, after, self.budget), |walk, row| {
            let (waiting, bytes) = invocation::row_named(tables, row.invocation);
            walk.count(bytes);
            Entry {
                service: row.service,
                key: row.key,
                place: row.place,
                invocation: waiting.id,
                since: waiting.modified_at,
            }
        })
    }
}
