//! Inboxes: the invocations that wait for the lock of a virtual object.

use protocol::InvocationId;
use runtime_core::{Lsn, tables::Tables, time::Timestamp};

use crate::{
    View, invocation,
    page::{Budget, Cursor, Page, Within},
};

/// An invocation that waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of the object's service.
    pub service: String,
    /// Key of the object.
    pub key: String,
    /// Its place: of two, the smaller one goes first.
    pub place: Lsn,
    /// Which invocation.
    pub invocation: InvocationId,
    /// Since when it waits.
    pub since: Timestamp,
}

/// Looks at inboxes in the order of services and keys, and at each from its beginning.
#[derive(Debug, Clone)]
pub struct List {
    /// Of which objects.
    pub within: Within,
    /// Where to go on.
    pub after: Option<Cursor>,
    /// How much may be read.
    pub budget: Budget,
}

impl View for List {
    type Seen = Page<Entry>;

    fn see(self, tables: &Tables<'_>) -> Page<Entry> {
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
