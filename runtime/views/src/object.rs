//! Locks of virtual objects and workflows. [`crate::inbox`] has the invocations that wait for one.

use protocol::InvocationId;
use runtime_core::{
    Lsn,
    tables::{Tables, object::Object as Row},
};

use crate::{
    View, invocation,
    page::{Budget, Cursor, Page},
};

/// A lock that is currently held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Name of the service.
    pub service: String,
    /// Key of the object.
    pub key: String,
    /// The invocation that holds the lock.
    pub holder: InvocationId,
    /// The lsn that created the holder.
    pub holder_created: Lsn,
    /// How many invocations wait for it.
    pub queued: u32,
}

impl Lock {
    fn of((service, key, row): (String, String, Row), holder: InvocationId) -> Self {
        Self { service, key, holder, holder_created: row.holder, queued: row.queued }
    }
}

/// Reads the lock of one object. `None` if it is free.
#[derive(Debug, Clone)]
pub struct One {
    /// Name of the service.
    pub service: String,
    /// Key of the object.
    pub key: String,
}

impl View for One {
    type Output = Option<Lock>;

    fn read(self, tables: &Tables<'_>) -> Option<Lock> {
        let row = tables.object(&self.service, &self.key)?;
        let (holder, _) = invocation::row_named(tables, row.holder);
        Some(Lock::of((self.service, self.key, row), holder.id))
    }
}

/// Reads the locks that are held, by service and key.
#[derive(Debug, Clone)]
pub struct List {
    /// The service to include, or all services.
    pub service: Option<String>,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for List {
    type Output = Page<Lock>;

    fn read(self, tables: &Tables<'_>) -> Page<Lock> {
        let after = self.after.as_ref().map(Cursor::key);
        let walk = tables.walk_objects(self.service.as_deref(), after, self.budget);
        Page::of(walk, |walk, row| {
            let (holder, bytes) = invocation::row_named(tables, row.2.holder);
            walk.count(bytes);
            Lock::of(row, holder.id)
        })
    }
}
