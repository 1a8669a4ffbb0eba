//! How far the records of a partition are durable, as reported by the log.

use std::sync::atomic::{AtomicU64, Ordering};

use runtime_core::{Lsn, PartitionId};

/// The last durable record of a partition. The log's callbacks advance it, one after the other.
#[derive(Debug)]
pub(crate) struct Durable {
    partition: PartitionId,
    last: AtomicU64,
}

impl Durable {
    /// Starts from what was read back from the log, all of which is durable.
    pub(crate) fn new(partition: PartitionId, last: Lsn) -> Self {
        Self { partition, last: AtomicU64::new(last.0) }
    }

    /// LSN of the last durable record.
    pub(crate) fn last(&self) -> Lsn {
        Lsn(self.last.load(Ordering::Acquire))
    }

    /// Notes that `count` records from `first` on are durable; 0 for a barrier.
    ///
    /// # Panics
    /// Panics if these are not the next records: something would become visible before it is
    /// durable, or twice.
    pub(crate) fn acknowledge(&self, first: Lsn, count: u64) {
        let before = self.last.fetch_add(count, Ordering::AcqRel);
        assert!(
            first.0 == before + 1,
            "partition {}: {count} records from {} on are acknowledged, but {before} is the last durable \
             one",
            self.partition.0,
            first.0
        );
    }
}
