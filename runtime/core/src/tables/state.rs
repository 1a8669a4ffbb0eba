//! Key: service, object key, state key. Row: the value.

use bytes::Bytes;
use protocol::StateVersion;

use super::{
    Key, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk, Within},
};
use crate::model::state_edit::StateSummary;

/// A state value with its full key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    /// Name of the virtual object's or workflow's service.
    pub service: String,
    /// Key of the virtual object or workflow.
    pub key: String,
    /// The state key.
    pub state_key: Bytes,
    /// The value.
    pub value: Bytes,
}

impl Tables<'_> {
    /// The value of one state key.
    pub fn state(&self, service: &str, key: &str, state_key: &[u8]) -> Option<Bytes> {
        let row = self.get(&entry_key(service, key, state_key))?;
        Some(expect_row!(row, Bytes))
    }

    /// Size in bytes of the value of one state key; 0 if there is none.
    pub(crate) fn state_bytes(&self, service: &str, key: &str, state_key: &[u8]) -> usize {
        self.size(&entry_key(service, key, state_key))
    }

    /// State in key order, as much as fits into `budget_bytes`, and whether anything was left out.
    pub fn all_state(
        &self,
        service: &str,
        key: &str,
        budget_bytes: usize,
    ) -> (Vec<(Bytes, Bytes)>, bool) {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for (state_key, value) in self.state_entries(service, key) {
            bytes += state_key.len() + value.len();
            if bytes > budget_bytes {
                return (entries, true);
            }
            entries.push((state_key, value));
        }
        (entries, false)
    }

    /// All state in key order.
    fn state_entries(&self, service: &str, key: &str) -> impl Iterator<Item = (Bytes, Bytes)> {
        let prefix = prefix(service, key);
        let mut from = prefix.clone();
        std::iter::from_fn(move || {
            let (row_key, row) = self.seek(&prefix, &from)?;
            let state_key = state_key_of(&row_key);
            from = row_key;
            from.push(0);
            Some((state_key, expect_row!(row, Bytes)))
        })
    }

    /// Version and size of the state of a key. Reads all of it.
    pub(crate) fn state_summary(&self, service: &str, key: &str) -> StateSummary {
        let (mut entries, mut bytes) = (0, 0);
        let all = self.state_entries(service, key).inspect(|(state_key, value)| {
            entries += 1;
            bytes += (state_key.len() + value.len()) as u64;
        });
        let version = StateVersion::of(all);
        StateSummary { version, entries, bytes }
    }

    /// All state keys in order.
    pub fn state_keys(&self, service: &str, key: &str) -> Vec<Bytes> {
        self.state_entries(service, key).map(|(state_key, _)| state_key).collect()
    }

    /// State, ordered by service, key and state key.
    pub fn walk_state(
        &self,
        within: &Within,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, StateEntry> {
        let prefix = Table::State.key().within(within).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            let (service, key, state_key) = entry_of(key)?;
            Some(StateEntry { service, key, state_key, value: expect_row!(row, Bytes) })
        })
    }

    pub(crate) fn set_state(&mut self, service: &str, key: &str, state_key: &[u8], value: Bytes) {
        self.put(entry_key(service, key, state_key), Row::Bytes(value));
    }

    pub(crate) fn clear_state(&mut self, service: &str, key: &str, state_key: &[u8]) {
        self.delete(entry_key(service, key, state_key));
    }

    pub(crate) fn clear_all_state(&mut self, service: &str, key: &str) {
        for state_key in self.state_keys(service, key) {
            self.clear_state(service, key, &state_key);
        }
    }
}

fn prefix(service: &str, key: &str) -> Key {
    Table::State.key().bytes(service.as_bytes()).bytes(key.as_bytes()).done()
}

fn entry_key(service: &str, key: &str, state_key: &[u8]) -> Key {
    let builder = Table::State.key().bytes(service.as_bytes()).bytes(key.as_bytes());
    builder.tail(state_key).done()
}

/// The service, the object key and the state key in a row's key.
pub(super) fn entry_of(row_key: &[u8]) -> Option<(String, String, Bytes)> {
    let mut reader = KeyReader::new(row_key);
    Some((reader.text()?, reader.text()?, Bytes::copy_from_slice(reader.tail())))
}

fn state_key_of(row_key: &[u8]) -> Bytes {
    let mut reader = KeyReader::new(row_key);
    let _service_and_key = (reader.bytes(), reader.bytes());
    Bytes::copy_from_slice(reader.tail())
}
