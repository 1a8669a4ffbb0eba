//! The read-only view that rows are read from.

use super::{
    key::Key,
    row::Row,
    slots::{KeyRange, LayerSlots},
};
use crate::model::ids::Lsn;

/// A consistent, read-only view of rows. Reads are synchronous and cannot fail: a store that hits a
/// read error stops the process.
pub trait Snapshot {
    /// The row at `key`.
    fn get(&self, key: &[u8]) -> Option<Row>;

    /// Estimate of the bytes in the row at `key`; 0 if there is none. Does not decode the row.
    fn size(&self, key: &[u8]) -> usize {
        self.get(key).map_or(0, |row| row.payload_bytes())
    }

    /// The first row at or after `from` whose key starts with `prefix`.
    fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)>;

    /// Adds the slots of each of its layers, newest first. A reader merges them
    /// ([`Merged`](super::slots::Merged)), and can count the tombstones that it skips.
    fn add_slots<'a>(&'a self, keys: KeyRange<'_>, layers: &mut LayerSlots<'a>);

    /// The last record reflected in these rows: no key contains a later LSN.
    fn applied(&self) -> Lsn;
}

/// An empty view: the base of a new partition, and of tests.
#[derive(Debug, Default, Clone, Copy)]
pub struct Empty;

impl Snapshot for Empty {
    fn get(&self, _: &[u8]) -> Option<Row> {
        None
    }

    fn seek(&self, _: &[u8], _: &[u8]) -> Option<(Key, Row)> {
        None
    }

    fn add_slots<'a>(&'a self, _: KeyRange<'_>, _: &mut LayerSlots<'a>) {}

    fn applied(&self) -> Lsn {
        Lsn(0)
    }
}
