//! Reads the slots of a [`KeyRange`] in order: of one layer, or of several layers at once.

use std::ops::Bound;

use super::{Key, Row, meter};

/// The direction in which a key range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From the smallest key on.
    Ascending,
    /// From the largest key on.
    Descending,
}

/// Which keys to read, and from which end.
#[derive(Debug, Clone, Copy)]
pub struct KeyRange<'k> {
    /// The smallest key.
    pub from: &'k [u8],
    /// The first key that is too large.
    pub before: &'k [u8],
    /// The direction.
    pub order: Order,
}

impl<'k> KeyRange<'k> {
    /// The bounds for a map. The range is empty if they are in the wrong order.
    pub fn bounds(self) -> (Bound<&'k [u8]>, Bound<&'k [u8]>) {
        // A map panics if a range ends before it begins.
        (Bound::Included(self.from.min(self.before)), Bound::Excluded(self.before))
    }
}

/// The slots of a layer in some [`KeyRange`]. The current one can be looked at without
/// reading its row, since a newer layer may replace it.
pub trait Slots {
    /// Key of the current slot; `None` at the end.
    fn key(&self) -> Option<&[u8]>;

    /// Reads the row of the current slot; `None` if the slot says that the row was deleted, or at
    /// the end.
    fn row(&self) -> Option<Row>;

    /// Moves to the next slot.
    fn advance(&mut self);
}

/// The slots of several layers, the newest first.
pub type LayerSlots<'a> = Vec<Box<dyn Slots + 'a>>;

/// Slots that are in memory, in ascending order.
pub struct InMemory<'a, I> {
    rest: I,
    order: Order,
    current: Option<(&'a Key, Option<&'a Row>)>,
}

impl<'a, I: DoubleEndedIterator<Item = (&'a Key, Option<&'a Row>)>> InMemory<'a, I> {
    /// Reads `slots`, which are in ascending order, in the given one.
    pub fn new(slots: I, order: Order) -> Self {
        let mut slots = Self { rest: slots, order, current: None };
        slots.advance();
        slots
    }
}

impl<'a, I: DoubleEndedIterator<Item = (&'a Key, Option<&'a Row>)>> Slots for InMemory<'a, I> {
    fn key(&self) -> Option<&[u8]> {
        self.current.map(|(key, _)| &key[..])
    }

    fn row(&self) -> Option<Row> {
        self.current.and_then(|(_, row)| row.cloned())
    }

    fn advance(&mut self) {
        self.current = match self.order {
            Order::Ascending => self.rest.next(),
            Order::Descending => self.rest.next_back(),
        };
    }
}

/// The slots of several layers as if they were one: of slots with the same key, the newest counts.
pub struct Merged<'a> {
    layers: LayerSlots<'a>,
    order: Order,
    /// The layer that has the current slot.
    current: Option<usize>,
}

impl<'a> Merged<'a> {
    /// Merges layers that are all read in the same order.
    pub fn new(layers: LayerSlots<'a>, order: Order) -> Self {
        let mut merged = Self { layers, order, current: None };
        merged.find();
        merged
    }

    /// Takes the current slot and moves to the next one.
    pub fn take(&mut self) -> Option<(Key, Option<Row>)> {
        let layer = self.layers.get(self.current?)?;
        let slot = (Key::from_slice(layer.key()?), layer.row());
        for layer in &mut self.layers {
            meter::count(1);
            if layer.key() == Some(&slot.0) {
                layer.advance();
            }
        }
        self.find();
        Some(slot)
    }

    fn find(&mut self) {
        let mut first: Option<(usize, &[u8])> = None;
        for (layer, key) in
            self.layers.iter().enumerate().filter_map(|(n, it)| Some((n, it.key()?)))
        {
            let is_first = first.is_none_or(|(_, first)| match self.order {
                Order::Ascending => key < first,
                Order::Descending => key > first,
            });
            if is_first {
                first = Some((layer, key));
            }
        }
        self.current = first.map(|(layer, _)| layer);
    }
}
