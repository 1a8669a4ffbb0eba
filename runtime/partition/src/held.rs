//! Rows that are held: a partition's, as they were after one record, for as long as somebody looks.

use runtime_core::{
    Lsn,
    tables::{Overlay, Snapshot, Tables},
};
use runtime_store::Base;
use runtime_views::View;

/// The rows of a partition, durable, as they were when they were asked for. Cheap to clone, and to be let
/// go of soon: what has changed since is kept twice, in memory and in the file.
#[derive(Clone)]
pub struct HeldRows(Base);

impl HeldRows {
    pub(crate) fn new(base: Base) -> Self {
        Self(base)
    }

    /// The last record that they show.
    pub fn applied(&self) -> Lsn {
        self.0.applied()
    }

    /// Looks, on the thread of whoever asks.
    pub fn see<V: View>(&self, view: V) -> V::Seen {
        view.see(&Tables::new(&mut Overlay::default(), &self.0))
    }
}
