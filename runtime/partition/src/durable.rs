//! How far the records of a partition are durable, as the log has said.

use std::sync::atomic::{AtomicU64, Ordering};

use runtime_core::{Lsn, PartitionId};

/// The last durable record of a partition. The log's callbacks move it, one after the other.
#[derive(Debug)]
pub(crate) struct Durable {
    partition: PartitionId,
    last: AtomicU64,
}

impl Durable {
    /// After a start: what was read back from the log is durable.
    pub(crate) fn new(partition: PartitionId, last: Lsn) -> Self {
        Self { partition, last: AtomicU64::new(last.0) }
    }

    /// The last durable record.
    pub(crate) fn last(&self) -> Lsn {
        Lsn(self.last.load(Ordering::Acquire))
    }

    /// Notes that so many records from `first` on are durable; none for whoever waits for all before it.
    ///
    /// # Panics
    /// When these are not the next ones: something would become visible before it is durable, or twice.
    pub(crate) fn acknowledge(&self, first: Lsn, count: u64) {
        let before = self.last.fetch_add(count, Ordering::AcqRel);
        assert!(
            first.0 == before + 1,
            "partition {}: {count} records from {} on are acknowledged, and {before} is the last one \
             that was",
            self.partition.0,
            first.0
        );
    }
}
