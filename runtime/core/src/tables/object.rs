//! The lock of a virtual object, and who waits for it.
//!
//! Object: key service and object key; row the lock. Inbox: key service, object key and the lsn that
//! queued it, so first in is first out; row the invocation.

use serde::{Deserialize, Serialize};

use super::{
    Key, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Walk, Within},
};
use crate::model::ids::Lsn;

/// The lock. There is no row while nobody holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The invocation that may write.
    pub holder: Lsn,
    /// How many wait.
    pub queued: u32,
    /// No place in the inbox before this one is taken: where to look for the next.
    pub head: Lsn,
}

/// Somebody who waits for a lock, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// Name of the object's service.
    pub service: String,
    /// The object's key.
    pub key: String,
    /// The place: the lsn of the record that queued it.
    pub place: Lsn,
    /// The invocation.
    pub invocation: Lsn,
}

impl Tables<'_> {
    /// The lock of an object; `None` when it is free.
    pub fn object(&self, service: &str, key: &str) -> Option<Object> {
        self.get(&object_key(service, key)).map(|row| expect_row!(row, Object))
    }

    /// The locks that are held, of one service or of all, in the order of services and keys.
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
        Walk::new(self, (prefix.clone(), prefix), after, budget, |key, row| {
            let mut reader = KeyReader::new(key);
            let service = reader.text()?;
            let key = String::from_utf8(reader.tail().to_vec()).ok()?;
            Some((service, key, expect_row!(row, Object)))
        })
    }

    /// Who waits for locks, in the order of services, keys and places.
    pub fn walk_inbox(
        &self,
        within: &Within,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, InboxEntry> {
        let prefix = Table::Inbox.key().within(within).done();
        Walk::new(self, (prefix.clone(), prefix), after, budget, |key, row| {
            let mut reader = KeyReader::new(key);
            let (service, key, place) = (reader.text()?, reader.text()?, reader.lsn()?);
            Some(InboxEntry { service, key, place, invocation: expect_row!(row, Lsn) })
        })
    }

    /// Writes the lock of an object that has none.
    pub(crate) fn create_object(&mut self, service: &str, key: &str, object: Object) {
        self.put_absent(object_key(service, key), Row::Object(object));
    }

    /// Changes the lock of an object that has one.
    pub(crate) fn put_object(&mut self, service: &str, key: &str, object: Object) {
        self.put(object_key(service, key), Row::Object(object));
    }

    pub(crate) fn delete_object(&mut self, service: &str, key: &str) {
        self.delete(object_key(service, key));
    }

    pub(crate) fn push_inbox(&mut self, service: &str, key: &str, place: Lsn, invocation: Lsn) {
        self.create(place_key(service, key, place), Row::Lsn(invocation));
    }

    /// The first in the inbox at or after `head`: its place and its invocation.
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
