//! What a reader sees below the live overlay: frozen overlays, newest on top, over the file.

use std::sync::Arc;

use redb::{AccessGuard, ReadOnlyTable, StorageError};
use runtime_core::{
    Lsn,
    tables::{
        Key, KeyRange, LayerSlots, Order, Overlay, Row, RowDecodeError, Slots, Snapshot,
        overlay::seek_layers, row::ROW_FORMAT,
    },
};

use crate::{checked, patient::Condition};

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A consistent, immutable view: frozen rows and a read transaction, published together. Cheap to
/// clone. It may outlive later checkpoints; it then retains its frozen rows in memory and, in the
/// file, the pages that those checkpoints have replaced.
#[derive(Clone)]
pub struct Base {
    /// Rows that the file does not contain yet, oldest first.
    pub(crate) frozen: Vec<Frozen>,
    pub(crate) file: FileRows,
}

/// The changes since the layer below, up to a record.
#[derive(Clone)]
pub(crate) struct Frozen {
    pub(crate) rows: Arc<Overlay>,
    /// The last record whose changes it contains.
    pub(crate) applied: Lsn,
}

/// A prefix of the layers: everything below some layer.
#[derive(Clone, Copy)]
struct Layers<'a> {
    frozen: &'a [Frozen],
    file: &'a FileRows,
}

/// The rows of the file as of one transaction, and the last record they reflect.
#[derive(Clone)]
pub(crate) struct FileRows {
    rows: Arc<Rows>,
    applied: Lsn,
    condition: Arc<Condition>,
}

impl FileRows {
    pub(crate) fn new(rows: Rows, applied: Lsn, condition: Arc<Condition>) -> Self {
        Self { rows: Arc::new(rows), applied, condition }
    }

    /// Stops the process. No caller can recover from an unreadable file, and continuing without it
    /// would lose acknowledged state.
    fn stop(&self, error: &StorageError) -> ! {
        panic!("the tables cannot be read: {}; check the disk", self.condition.explain(error))
    }
}

impl Snapshot for FileRows {
    fn get(&self, key: &[u8]) -> Option<Row> {
        let found = self.rows.get(key).unwrap_or_else(|error| self.stop(&error));
        found.map(|value| decode(key, value.value()))
    }

    fn size(&self, key: &[u8]) -> usize {
        let found = self.rows.get(key).unwrap_or_else(|error| self.stop(&error));
        found.map_or(0, |value| value.value().len())
    }

    fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)> {
        let mut rows = self.rows.range(from..).unwrap_or_else(|error| self.stop(&error));
        let (key, value) = rows.next()?.unwrap_or_else(|error| self.stop(&error));
        let key = key.value();
        key.starts_with(prefix).then(|| (Key::from_slice(key), decode(key, value.value())))
    }

    fn add_slots<'a>(&'a self, keys: KeyRange<'_>, layers: &mut LayerSlots<'a>) {
        let rest = self.rows.range::<&[u8]>(keys.bounds());
        let rest = rest.unwrap_or_else(|error| self.stop(&error));
        let mut slots = FileSlots { file: self, rest, order: keys.order, current: None };
        slots.advance();
        layers.push(Box::new(slots));
    }

    fn applied(&self) -> Lsn {
        self.applied
    }
}

/// The rows of the file in a range.
struct FileSlots<'a> {
    file: &'a FileRows,
    rest: redb::Range<'static, &'static [u8], &'static [u8]>,
    order: Order,
    current: Option<(Guard, Guard)>,
}

type Guard = AccessGuard<'static, &'static [u8]>;

impl Slots for FileSlots<'_> {
    fn key(&self) -> Option<&[u8]> {
        self.current.as_ref().map(|(key, _)| key.value())
    }

    fn row(&self) -> Option<Row> {
        self.current.as_ref().map(|(key, value)| decode(key.value(), value.value()))
    }

    fn advance(&mut self) {
        let next = match self.order {
            Order::Ascending => self.rest.next(),
            Order::Descending => self.rest.next_back(),
        };
        self.current = next.map(|slot| slot.unwrap_or_else(|error| self.file.stop(&error)));
    }
}

impl Base {
    /// The address and the estimated size in bytes of each frozen layer.
    pub fn layer_bytes(&self) -> impl Iterator<Item = (usize, usize)> {
        let layers = self.frozen.iter();
        layers.map(|layer| (Arc::as_ptr(&layer.rows).addr(), layer.rows.size_bytes()))
    }

    fn layers(&self) -> Layers<'_> {
        Layers { frozen: &self.frozen, file: &self.file }
    }
}

impl<'a> Layers<'a> {
    fn add_slots_of(self, keys: KeyRange<'_>, layers: &mut LayerSlots<'a>) {
        for layer in self.frozen.iter().rev() {
            layers.push(Box::new(layer.rows.slots(keys)));
        }
        self.file.add_slots(keys, layers);
    }
}

impl Snapshot for Base {
    fn get(&self, key: &[u8]) -> Option<Row> {
        self.layers().get(key)
    }

    fn size(&self, key: &[u8]) -> usize {
        self.layers().size(key)
    }

    fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)> {
        self.layers().seek(prefix, from)
    }

    fn add_slots<'a>(&'a self, keys: KeyRange<'_>, layers: &mut LayerSlots<'a>) {
        self.layers().add_slots_of(keys, layers);
    }

    fn applied(&self) -> Lsn {
        self.layers().applied()
    }
}

impl Snapshot for Layers<'_> {
    fn get(&self, key: &[u8]) -> Option<Row> {
        match self.frozen.iter().rev().find_map(|layer| layer.rows.get(key)) {
            Some(slot) => slot.row.clone(),
            None => self.file.get(key),
        }
    }

    fn size(&self, key: &[u8]) -> usize {
        match self.frozen.iter().rev().find_map(|layer| layer.rows.get(key)) {
            Some(slot) => slot.row.as_ref().map_or(0, Row::payload_bytes),
            None => self.file.size(key),
        }
    }

    fn seek(&self, prefix: &[u8], from: &[u8]) -> Option<(Key, Row)> {
        match self.frozen.split_last() {
            Some((top, frozen)) => {
                let below = Layers { frozen, file: self.file };
                seek_layers(&top.rows, &below, prefix, from)
            }
            None => self.file.seek(prefix, from),
        }
    }

    fn add_slots<'a>(&'a self, keys: KeyRange<'_>, layers: &mut LayerSlots<'a>) {
        self.add_slots_of(keys, layers);
    }

    fn applied(&self) -> Lsn {
        self.frozen.last().map_or_else(|| self.file.applied(), |layer| layer.applied)
    }
}

/// Decodes a row. A stored row that cannot be read back means a damaged file or a bug, and
/// continuing without it, or with a damaged row, would lose acknowledged state.
fn decode(key: &[u8], value: &[u8]) -> Row {
    match checked::decode(key, value) {
        Ok(row) => row,
        Err(checked::ReadError::Row(RowDecodeError::UnknownFormat(format))) => panic!(
            "the tables contain rows of format {format}, which a newer version of this software has \
             written; this version can read 1 to {ROW_FORMAT}: start the newer one"
        ),
        Err(error) => panic!(
            "the row at {key:?} of the tables cannot be read: {error}; restore the data directory \
             from a backup"
        ),
    }
}
