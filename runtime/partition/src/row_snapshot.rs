//! Held rows: a partition's rows as of one record, for as long as a reader needs them.

use runtime_core::{
    Lsn,
    tables::{Overlay, Snapshot, Tables},
};
use runtime_store::Base;
use runtime_views::View;

/// The rows of a partition as of when they were requested, all of them durable. Cheap to clone.
/// Drop them soon: whatever changes meanwhile is kept twice, in memory and in the file.
#[derive(Clone)]
pub struct RowSnapshot(Base);

impl RowSnapshot {
    pub(crate) fn new(base: Base) -> Self {
        Self(base)
    }

    /// LSN of the last record that the rows reflect.
    pub fn applied(&self) -> Lsn {
        self.0.applied()
    }

    /// The changed rows that it keeps in memory: for each layer, what tells it from others, and its
    /// size in bytes. Snapshots share layers.
    pub fn layers(&self) -> impl Iterator<Item = (usize, usize)> {
        self.0.layer_bytes()
    }

    /// Evaluates a view on the calling thread.
    pub fn read<V: View>(&self, view: V) -> V::Output {
        view.read(&Tables::new(&mut Overlay::default(), &self.0))
    }
}
