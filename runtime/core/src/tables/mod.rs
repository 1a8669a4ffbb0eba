//! Typed rows over an ordered map of bytes to decoded values.
//!
//! One module per table owns its key layout and its row type. A row lives decoded in the
//! [`Overlay`] of changes since the last checkpoint, on top of a [`Snapshot`] of older layers; it
//! is encoded only when a checkpoint writes it.

pub mod audit;
pub mod changed;
pub mod completion;
pub mod deployment;
pub mod expiry;
mod hints;
pub mod incident;
pub mod index;
pub mod invocation;
pub mod journal;
pub mod key;
pub mod meta;
pub(crate) mod meter;
pub mod object;
pub mod old_formats;
pub mod outbox;
pub mod overlay;
pub mod producer;
pub mod promise;
pub mod row;
pub mod shared_result;
pub mod slots;
mod snapshot;
pub mod state;
pub mod tally;
pub mod timer;
mod wait;
pub mod waiter;
pub mod waiting_edit;
pub mod walk;

use crate::{model::ids::Lsn, time::Stamp};

pub use key::{Key, Table};
pub use overlay::{Overlay, Slot};
pub use row::{Row, RowDecodeError};
pub use slots::{KeyRange, LayerSlots, Order, Slots};
pub use snapshot::{Empty, Snapshot};

/// The rows of one partition while records are applied.
pub struct Tables<'a> {
    live: &'a mut Overlay,
    base: &'a dyn Snapshot,
}

impl<'a> Tables<'a> {
    /// Layers the rows of `live` over those of `base`.
    pub fn new(live: &'a mut Overlay, base: &'a dyn Snapshot) -> Self {
        Self { live, base }
    }

    /// Estimate of the memory that the changed rows take, in bytes.
    pub fn changed_bytes(&self) -> usize {
        self.live.size_bytes()
    }

    /// Records that a log record is being applied.
    ///
    /// # Panics
    /// Panics if it is not the next record, or its stamp is not later than the previous one.
    pub(crate) fn advance(&mut self, lsn: Lsn, stamp: Stamp) {
        let meta = self.meta_mut();
        assert!(meta.applied.0 + 1 == lsn.0, "{lsn:?} applied after {:?}", meta.applied);
        assert!(meta.stamp < stamp, "{lsn:?}: {stamp:?} is not later than {:?}", meta.stamp);
        meta.applied = lsn;
        meta.stamp = stamp;
    }

    /// Updates the size of a row that was changed in place. Called after a record is applied.
    pub(crate) fn recount(&mut self) {
        self.live.recount();
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Row> {
        meter::count(1);
        match self.live.get(key) {
            Some(slot) => slot.row.clone(),
            None => self.base.get(key),
        }
    }

    /// Estimate of the bytes in a row; 0 if there is none.
    pub(crate) fn size(&self, key: &[u8]) -> usize {
        meter::count(1);
        match self.live.get(key) {
            Some(slot) => slot.row.as_ref().map_or(0, Row::payload_bytes),
            None => self.base.size(key),
        }
    }

    /// The row, to be changed in place. The row counts as written.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Row> {
        meter::count(1);
        self.live.get_mut(key, |key| self.base.get(key))
    }

    /// Like [`Self::get_mut`], but creates the row with `absent` if there is none.
    pub(crate) fn get_or_create_mut(
        &mut self,
        key: Key,
        absent: impl FnOnce() -> Row,
    ) -> Option<&mut Row> {
        self.live.get_mut(key, |key| Some(self.base.get(key).unwrap_or_else(absent)))
    }

    /// Writes a row whose key has never been used before, so that deleting it needs no tombstone.
    pub(crate) fn create(&mut self, key: Key, row: Row) {
        debug_assert!(self.live.get(&key).is_none(), "a created row is new: {key:?}");
        debug_assert!(self.base.get(&key).is_none(), "a created row is new: {key:?}");
        self.live.create(key, row);
    }

    /// Writes a row whose key contains the invocation that it belongs to. A row that is created and
    /// deleted between two checkpoints leaves no tombstone, and the layers below are not searched
    /// for rows of an invocation that is younger than they are.
    pub(crate) fn put_of(&mut self, invocation: Lsn, key: Key, row: Row) {
        let base = self.base;
        self.live.put_with(key, row, |key| {
            let is_younger = invocation > base.applied();
            debug_assert!(
                !is_younger || base.get(key).is_none(),
                "{key:?} exists in a layer older than its invocation"
            );
            is_younger || base.get(key).is_none()
        });
    }

    /// Writes a row at a key where the caller has just found none.
    pub(crate) fn put_absent(&mut self, key: Key, row: Row) {
        debug_assert!(self.get(&key).is_none(), "there is a row at {key:?}");
        self.live.create(key, row);
    }

    pub(crate) fn put(&mut self, key: Key, row: Row) {
        self.live.put(key, row);
    }

    pub(crate) fn delete(&mut self, key: Key) {
        self.live.delete(key);
    }

    /// The first row at or after `from` whose key starts with `prefix`.
    pub(crate) fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)> {
        overlay::seek_layers(self.live, self.base, prefix, from)
    }

    /// The first key of a queue at or after `from`. Remembers where the queue begins, so that its
    /// deleted rows are skipped only once.
    pub(crate) fn first_of(&mut self, prefix: Key, from: &[u8]) -> Option<Key> {
        let floor = self.live.hints.floor(&prefix);
        if hints::is_behind_all(&floor, &prefix) {
            return None;
        }
        let is_beginning = from.iter().skip(prefix.len()).all(|byte| *byte == 0);
        if !is_beginning && from > &floor[..] {
            return self.seek(&prefix, from).map(|(key, _)| key);
        }
        let first = self.seek(&prefix, &floor).map(|(key, _)| key);
        self.live.hints.raise_floor(prefix, first.clone());
        first
    }

    /// Up to `limit` rows whose key starts with `prefix`, from `from` on.
    pub(crate) fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Vec<(Key, Row)> {
        let mut rows = Vec::new();
        let mut from = Key::from_slice(from);
        while rows.len() < limit {
            let Some((key, row)) = self.seek(prefix, &from) else { break };
            from = key.clone();
            from.push(0);
            rows.push((key, row));
        }
        rows
    }
}

impl Snapshot for Tables<'_> {
    fn get(&self, key: &[u8]) -> Option<Row> {
        Tables::get(self, key)
    }

    fn size(&self, key: &[u8]) -> usize {
        Tables::size(self, key)
    }

    fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)> {
        Tables::seek(self, prefix, from)
    }

    fn add_slots<'a>(&'a self, keys: KeyRange<'_>, layers: &mut LayerSlots<'a>) {
        layers.push(Box::new(self.live.slots(keys)));
        self.base.add_slots(keys, layers);
    }

    fn applied(&self) -> Lsn {
        Tables::applied(self)
    }
}
