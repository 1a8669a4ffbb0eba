//! Locks of virtual objects and of workflows. Who waits for one is in [`crate::inbox`].

use protocol::InvocationId;
use runtime_core::{
    Lsn,
    tables::{Tables, object::Object as Row},
};

use crate::{
    View, invocation,
    page::{Budget, Cursor, Page},
};

/// A lock that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Name of the service.
    pub service: String,
    /// Key of the object.
    pub key: String,
    /// The invocation that may write.
    pub holder: InvocationId,
    /// The lsn that created it.
    pub holder_created: Lsn,
    /// How many wait.
    pub queued: u32,
}

impl Lock {
    fn of((service, key, row): (String, String, Row), holder: InvocationId) -> Self {
        Self { service, key, holder, holder_created: row.holder, queued: row.queued }
    }
}

/// Looks at the lock of one object; `None` when it is free.
#[derive(Debug, Clone)]
pub struct One {
    /// Name of the service.
    pub service: String,
    /// Key of the object.
    pub key: String,
}

impl View for One {
    type Seen = Option<Lock>;

    fn see(self, tables: &Tables<'_>) -> Option<Lock> {
        let row = tables.object(&self.service, &self.key)?;
        let (holder, _) = invocation::row_named(tables, row.holder);
        Some(Lock::of((self.service, self.key, row), holder.id))
    }
}

/// Looks at the locks that are held, in the order of services and keys.
#[derive(Debug, Clone)]
pub struct List {
    /// Of which service; of all when absent.
    pub service: Option<String>,
    /// Where to go on.
    pub after: Option<Cursor>,
    /// How much may be read.
    pub budget: Budget,
}

impl View for List {
    type Seen = Page<Lock>;

    fn see(self, tables: &Tables<'_>) -> Page<Lock> {
        let after = self.after.as_ref().map(Cursor::key);
        let walk = tables.walk_objects(self.service.as_deref(), after, self.budget);
        Page::of(walk, |walk, row| {
            let (holder, bytes) = invocation::row_named(tables, row.2.holder);
            walk.count(bytes);
            Lock::of(row, holder.id)
        })
    }
}
