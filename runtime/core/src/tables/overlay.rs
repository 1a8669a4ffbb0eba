//! Rows changed since the last checkpoint, decoded, in key order.

use std::collections::{BTreeMap, btree_map::Entry};
use std::ops::Bound;

use super::{
    hints::Hints,
    key::Key,
    meter,
    row::Row,
    slots::{InMemory, KeyRange, Slots},
    snapshot::Snapshot,
};

/// A changed row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The new value; `None` if the row was deleted.
    pub row: Option<Row>,
    /// Whether no layer below has the key, so that deleting it needs no tombstone.
    fresh: bool,
    /// The payload size that is counted for the row.
    payload_bytes: usize,
}

impl Slot {
    fn new(row: Option<Row>, fresh: bool) -> Self {
        let payload_bytes = payload(row.as_ref());
        Self { row, fresh, payload_bytes }
    }

    /// Replaces the row; returns the old and the new payload size.
    fn replace(&mut self, row: Option<Row>) -> (usize, usize) {
        let new = payload(row.as_ref());
        self.row = row;
        (std::mem::replace(&mut self.payload_bytes, new), new)
    }
}

/// The changes of one checkpoint interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay {
    slots: BTreeMap<Key, Slot>,
    bytes: usize,
    /// The row being changed in place; its size is updated afterwards.
    changing: Option<Key>,
    /// Keys written since the last [`Overlay::take_watched`]; `None` unless they are being watched.
    watched: Option<Vec<Key>>,
    pub(super) hints: Hints,
}

/// Estimated size of a slot without its key and payload, in bytes: map node, row, allocator
/// overhead.
const SLOT_OVERHEAD_BYTES: usize = 160;

impl Overlay {
    /// Takes the changes out, to be frozen. The hints stay, since the rows themselves do not
    /// change.
    pub fn take(&mut self) -> Self {
        self.recount();
        let (hints, watched) = (std::mem::take(&mut self.hints), self.watched.take());
        std::mem::replace(self, Self { hints, watched, ..Self::default() })
    }

    /// Starts or stops recording which keys are written.
    pub fn watch(&mut self, is_watched: bool) {
        if is_watched {
            self.watched.get_or_insert_default();
        } else {
            self.watched = None;
        }
    }

    /// The keys written since the last call, in order; empty unless they are being recorded.
    pub fn take_watched(&mut self) -> Vec<Key> {
        let mut keys = self.watched.as_mut().map(std::mem::take).unwrap_or_default();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn note(&mut self, key: &Key) {
        if let Some(watched) = &mut self.watched {
            watched.push(key.clone());
        }
    }

    /// The changed row at `key`; `None` if it has not changed since the last checkpoint.
    pub fn get(&self, key: &[u8]) -> Option<&Slot> {
        self.slots.get(key)
    }

    /// All changes in key order: what a checkpoint writes.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, Option<&Row>)> {
        self.slots.iter().map(|(key, slot)| (key, slot.row.as_ref()))
    }

    /// How many rows have changed.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Estimate of the memory the changes take, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// Recomputes [`Self::size_bytes`] from scratch.
    #[cfg(test)]
    pub(crate) fn size_of_all(&self) -> usize {
        let costs = self
            .slots
            .iter()
            .map(|(key, slot)| SLOT_OVERHEAD_BYTES + key.len() + payload(slot.row.as_ref()));
        costs.sum()
    }

    /// The row, to be changed in place; copied from `below` if this layer does not have it.
    pub(crate) fn get_mut(
        &mut self,
        key: Key,
        below: impl FnOnce(&Key) -> Option<Row>,
    ) -> Option<&mut Row> {
        if self.changing.as_ref() != Some(&key) {
            self.recount();
            self.changing = Some(key.clone());
        }
        self.note(&key);
        let slot = match self.slots.entry(key) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(place) => {
                let row = below(place.key())?;
                self.hints.written(place.key());
                let slot = Slot::new(Some(row), false);
                self.bytes += cost(place.key(), &slot);
                place.insert(slot)
            }
        };
        slot.row.as_mut()
    }

    /// Writes a row.
    pub fn put(&mut self, key: Key, row: Row) {
        self.put_with(key, row, |_| false);
    }

    /// Writes a row whose key no layer below has: deleting it needs no tombstone.
    pub fn create(&mut self, key: Key, row: Row) {
        self.put_with(key, row, |_| true);
    }

    /// Writes a row. `is_fresh` tells whether no layer below has the key, and is called only if
    /// this layer does not have it either.
    pub(crate) fn put_with(&mut self, key: Key, row: Row, is_fresh: impl FnOnce(&Key) -> bool) {
        self.note(&key);
        match self.slots.entry(key) {
            Entry::Occupied(mut slot) => {
                self.hints.written(slot.key());
                let (old, new) = slot.get_mut().replace(Some(row));
                self.bytes = change(self.bytes, old, new);
            }
            Entry::Vacant(place) => {
                self.hints.written(place.key());
                let slot = Slot::new(Some(row), is_fresh(place.key()));
                self.bytes += cost(place.key(), &slot);
                place.insert(slot);
            }
        }
    }

    /// Deletes a row.
    pub fn delete(&mut self, key: Key) {
        self.note(&key);
        match self.slots.entry(key) {
            Entry::Occupied(slot) if slot.get().fresh => {
                let (key, slot) = slot.remove_entry();
                self.bytes = change(self.bytes, cost(&key, &slot), 0);
            }
            Entry::Occupied(mut slot) => {
                let (old, new) = slot.get_mut().replace(None);
                self.bytes = change(self.bytes, old, new);
            }
            Entry::Vacant(place) => {
                let slot = Slot::new(None, false);
                self.bytes += cost(place.key(), &slot);
                place.insert(slot);
            }
        }
    }

    /// Updates the size of the row that was changed in place.
    pub(super) fn recount(&mut self) {
        let Some(slot) = self.changing.take().and_then(|key| self.slots.get_mut(&key)) else {
            return;
        };
        let (old, new) = (slot.payload_bytes, payload(slot.row.as_ref()));
        slot.payload_bytes = new;
        self.bytes = change(self.bytes, old, new);
    }

    /// The slots in a range of keys.
    pub fn slots<'a>(&'a self, keys: KeyRange<'_>) -> impl Slots + use<'a> {
        let slots = self.slots.range::<[u8], _>(keys.bounds());
        InMemory::new(slots.map(|(key, slot)| (key, slot.row.as_ref())), keys.order)
    }

    /// The first slot at or after `from`, including tombstones.
    fn first_slot(&self, from: &[u8]) -> Option<(&Key, &Slot)> {
        self.slots.range::<[u8], _>((Bound::Included(from), Bound::Unbounded)).next()
    }
}

/// The total after replacing `old` bytes with `new` ones.
fn change(bytes: usize, old: usize, new: usize) -> usize {
    assert!(old <= bytes, "{old} bytes are released from an overlay of {bytes} bytes");
    bytes - old + new
}

fn cost(key: &Key, slot: &Slot) -> usize {
    SLOT_OVERHEAD_BYTES + key.len() + slot.payload_bytes
}

fn payload(row: Option<&Row>) -> usize {
    row.map_or(0, Row::payload_bytes)
}

/// The first row at or after `from` whose key starts with `prefix`, in `top` layered over `base`.
pub fn seek_layers(
    top: &Overlay,
    base: &dyn Snapshot,
    prefix: &[u8],
    from: &[u8],
) -> Option<(Key, Row)> {
    let mut below = base.seek(prefix, from);
    let mut from = Key::from_slice(from);
    loop {
        meter::count(1);
        let above = top.first_slot(&from).filter(|(key, _)| key.starts_with(prefix));
        let (key, slot) = match (above, &below) {
            (None, _) => return below,
            (Some((key, _)), Some((old, _))) if old < key => return below,
            (Some(above), _) => above,
        };
        // The slot comes before the row below, or replaces it.
        if let Some(row) = &slot.row {
            return Some((key.clone(), row.clone()));
        }
        from = key.clone();
        from.push(0);
        if below.as_ref().is_some_and(|(old, _)| old == key) {
            below = base.seek(prefix, &from);
        }
    }
}
