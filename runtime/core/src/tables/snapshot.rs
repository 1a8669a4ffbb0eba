//! What rows are read from.

use super::{key::Key, row::Row};
use crate::model::ids::Lsn;

/// A consistent, read-only view of rows. Reads are synchronous and cannot fail: a store that cannot
/// read stops the process.
pub trait Snapshot {
    /// The row at `key`.
    fn get(&self, key: &[u8]) -> Option<Row>;

    /// The first row at or after `from` whose key starts with `prefix`.
    fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)>;

    /// The first row at or after `from` and before `before`, or `None` beside its key when all that is
    /// known of it is that it was removed: one step of a reader who counts what it passes.
    fn next_slot(&self, from: &[u8], before: &[u8]) -> Option<(Key, Option<Row>)>;

    /// The last record that these rows show: no key names a later one.
    fn applied(&self) -> Lsn;
}

/// A view with nothing in it: the base of a new partition, and of tests.
#[derive(Debug, Default, Clone, Copy)]
pub struct Empty;

impl Snapshot for Empty {
    fn get(&self, _: &[u8]) -> Option<Row> {
        None
    }

    fn seek(&self, _: &[u8], _: &[u8]) -> Option<(Key, Row)> {
        None
    }

    fn next_slot(&self, _: &[u8], _: &[u8]) -> Option<(Key, Option<Row>)> {
        None
    }

    fn applied(&self) -> Lsn {
        Lsn(0)
    }
}
