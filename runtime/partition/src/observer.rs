//! Notifications of what a partition has stored, for change feeds and telemetry.

use runtime_core::{
    PartitionId,
    effect::Effect,
    event::Record,
    tables::{Key, Row},
};

/// A row that a batch has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// Key of the row.
    pub key: Key,
    /// The row after the batch; `None` if it was removed.
    pub row: Option<Row>,
}

/// A batch of records that is on disk.
#[derive(Debug)]
pub struct DurableBatch<'a> {
    /// Partition that stored the batch.
    pub partition: PartitionId,
    /// The records in order, contiguous with those of the batch before if the observer has been
    /// watching.
    pub records: &'a [Record],
    /// The rows that are different after all of the records, in key order.
    pub changes: &'a [RowChange],
    /// The effects of the records, before anything else receives them.
    pub effects: &'a [Effect],
}

/// Notified of each batch, in the order of the records. What was stored before the node started is
/// not reported: an observer that needs it reads it, and is notified of everything that comes
/// after.
pub trait Observer: Send + Sync + 'static {
    /// Whether it wants the next batches; asked before each. Batches applied while it is not
    /// watching are not reported, even if they become durable later.
    fn is_watching(&self) -> bool {
        true
    }

    /// Called when a batch is durable. Must not block, because it runs on the log's thread.
    fn durable(&self, batch: &DurableBatch<'_>);
}

/// What is reported of a batch in addition to its effects.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) records: Vec<Record>,
    pub(crate) changes: Vec<RowChange>,
}
