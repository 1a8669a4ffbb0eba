//! Who is told what a partition has stored: feeds of changes, telemetry.

use runtime_core::{
    PartitionId,
    effect::Effect,
    event::Record,
    tables::{Key, Row},
};

/// A row that a batch has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// Where it is.
    pub key: Key,
    /// What it is now; `None` when there is none any more.
    pub row: Option<Row>,
}

/// A batch of records that is on disk.
#[derive(Debug)]
pub struct DurableBatch<'a> {
    /// Whose.
    pub partition: PartitionId,
    /// In their order, without a gap to those of the batch before.
    pub records: &'a [Record],
    /// What is another row after all of them, in the order of the keys.
    pub changes: &'a [RowChange],
    /// What follows from them, before anybody else hears of it.
    pub effects: &'a [Effect],
}

/// Hears of each batch, in the order of the records. What was stored before the node began is not told:
/// whoever needs it reads it, and what is told from then on is what comes behind.
pub trait Observer: Send + Sync + 'static {
    /// A batch is durable. Nothing may wait here: it is the log's thread.
    fn durable(&self, batch: &DurableBatch<'_>);
}

/// What is told of a batch beside its effects.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) records: Vec<Record>,
    pub(crate) changes: Vec<RowChange>,
}
