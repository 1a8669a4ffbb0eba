//! The lock of a virtual object, and the invocations that wait for it.
//!
//! Object: key service and object key; row the lock. Inbox: key service, object key and the LSN of
//! the record that queued the entry, which makes it first in, first out; row the waiting
//! invocation.

use serde::{Deserialize, Serialize};

use super::{
    Key, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk, Within},
};
use crate::model::ids::Lsn;

/// The lock. The row exists only while the lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The invocation that holds the lock.
    pub holder: Lsn,
    /// How many invocations wait in the inbox.
    pub queued: u32,
    /// The inbox is empty before this position, so the search for the next entry starts here.
    pub head: Lsn,
}

/// An invocation that waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// Name of the object's service.
    pub service: String,
    /// The object's key.
    pub key: String,
    /// Position in the inbox: the LSN of the record that queued it.
    pub place: Lsn,
    /// The waiting invocation.
    pub invocation: Lsn,
}

impl Tables<'_> {
    /// The lock of an object; `None` if it is free.
    pub fn object(&self, service: &str, key: &str) -> Option<Object> {
        self.get(&object_key(service, key)).map(|row| expect_row!(row, Object))
    }

    /// The locks that are held, of one service or of all, ordered by service and key.
    pub fn walk_objects(
        &self,
        service: Option<&str>,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (String, String, Object)> {
        let table = Table::Object.key();
        let prefix = match service {
            Some(service) => table.bytes(service.as_bytes()).done(),
            None => table.done(),
        };
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            let mut reader = KeyReader::new(key);
            let service = reader.text()?;
            let key = String::from_utf8(reader.tail().to_vec()).ok()?;
            Some((service, key, expect_row!(row, Object)))
        })
    }

    /// The entries of inboxes, ordered by service, key and position.
    pub fn walk_inbox(
        &self,
        within: &Within,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, InboxEntry> {
        let prefix = Table::Inbox.key().within(within).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            let mut reader = KeyReader::new(key);
            let (service, key, place) = (reader.text()?, reader.text()?, reader.lsn()?);
            Some(InboxEntry { service, key, place, invocation: expect_row!(row, Lsn) })
        })
    }

    /// Creates the lock of an object that has none.
    pub(crate) fn create_object(&mut self, service: &str, key: &str, object: Object) {
        self.put_absent(object_key(service, key), Row::Object(object));
    }

    /// Updates the lock of an object that has one.
    pub(crate) fn put_object(&mut self, service: &str, key: &str, object: Object) {
        self.put(object_key(service, key), Row::Object(object));
    }

    pub(crate) fn delete_object(&mut self, service: &str, key: &str) {
        self.delete(object_key(service, key));
    }

    pub(crate) fn push_inbox(&mut self, service: &str, key: &str, place: Lsn, invocation: Lsn) {
        self.create(place_key(service, key, place), Row::Lsn(invocation));
    }

    /// The first inbox entry at or after `head`: its position and its invocation.
    pub(crate) fn first_in_inbox(&self, service: &str, key: &str, head: Lsn) -> Option<(Lsn, Lsn)> {
        let prefix = Table::Inbox.key().bytes(service.as_bytes()).bytes(key.as_bytes()).done();
        let (row_key, row) = self.seek(&prefix, &place_key(service, key, head))?;
        let place = row_key.get(prefix.len()..)?.first_chunk::<8>()?;
        Some((Lsn(u64::from_be_bytes(*place)), expect_row!(row, Lsn)))
    }

    pub(crate) fn delete_from_inbox(&mut self, service: &str, key: &str, place: Lsn) {
        self.delete(place_key(service, key, place));
    }
}

fn object_key(service: &str, key: &str) -> Key {
    Table::Object.key().bytes(service.as_bytes()).tail(key.as_bytes()).done()
}

fn place_key(service: &str, key: &str, place: Lsn) -> Key {
    Table::Inbox.key().bytes(service.as_bytes()).bytes(key.as_bytes()).lsn(place).done()
}
