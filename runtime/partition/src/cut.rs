//! A consistent copy of a running node: the tables of all partitions, and the records after them up to
//! one point of the log.
//!
//! All partitions share one durable order, and recovery accepts any prefix of it: that is what a
//! crash leaves. A copy is such a prefix if, for every partition, the log's part begins where the
//! tables end, and if it ends at the same moment for all partitions. Otherwise a message might be
//! missing at its sender and present at its receiver, and the next one with its number would be
//! taken for a repetition. So the order is:
//!
//! 1. The log is held: what is there now stays, even if a checkpoint lets it be trimmed.
//! 2. The tables are taken, each as of some checkpoint after that ([`CutSource::begin`]). Their
//!    records were durable before, and those after them are still in the log.
//! 3. The end of the log is noted, for all partitions at once ([`Begun::finish`]). It is not before
//!    what any of the tables contain, because a checkpoint only has what is durable.
//!
//! Nothing of this involves a partition's thread. The records up to the noted end can then be copied
//! first, after which the log is let go, and the tables take as long as they take.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use runtime_core::{Lsn, PartitionId};
use runtime_log::{AppendError, Hold, Log, ReadError};
use runtime_store::{CopyError, DiskSpace, Store, StoreSnapshot, StoreSource, StoredRow};

use crate::driver::log_id;

/// Where cuts of a node are taken from. Cheap to clone; keeps neither log nor tables open.
#[derive(Clone)]
pub struct CutSource {
    log: Weak<dyn Log>,
    tables: Arc<[StoreSource]>,
    disk_space: DiskSpace,
}

/// Why a node cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The node is stopping, or has failed.
    #[error("the node is stopping")]
    Stopped,
    /// The log has failed.
    #[error(transparent)]
    LogFailed(#[from] AppendError),
    /// Records cannot be read.
    #[error("partition {}: the log cannot be read: {source}", .partition.0)]
    Log {
        /// The partition.
        partition: PartitionId,
        /// The error of the log.
        source: ReadError,
    },
    /// Rows cannot be read.
    #[error("partition {}: {source}", .partition.0)]
    Tables {
        /// The partition.
        partition: PartitionId,
        /// The error of the tables.
        source: CopyError,
    },
}

/// Tables that have been taken, while the log is held.
pub struct Begun {
    log: Arc<dyn Log>,
    hold: Hold,
    tables: Vec<StoreSnapshot>,
}

/// A node as of one moment.
pub struct Cut {
    log: Arc<dyn Log>,
    hold: Option<Hold>,
    tables: Vec<StoreSnapshot>,
    ends: Vec<Lsn>,
}

impl CutSource {
    pub(crate) fn of(log: &Arc<dyn Log>, stores: &[Store]) -> Self {
        Self {
            log: Arc::downgrade(log),
            tables: stores.iter().map(Store::source).collect(),
            disk_space: DiskSpace::of(stores),
        }
    }

    /// Whether the disk is so full that what a cut retains should be given up.
    pub fn is_disk_short(&self) -> bool {
        self.disk_space.is_short() || self.log.upgrade().is_some_and(|log| log.is_short())
    }

    /// Holds the log and takes the tables. Waits for a write to the log that is under way.
    ///
    /// # Errors
    /// Returns an error if the node is stopping or the tables cannot be read.
    pub fn begin(&self) -> Result<Begun, CutError> {
        let log = self.log.upgrade().ok_or(CutError::Stopped)?;
        let hold = log.hold();
        let tables = (0..).map(PartitionId).zip(&*self.tables);
        let taken = tables.map(|(partition, source)| {
            source.snapshot().map_err(|source| CutError::of_tables(partition, source))
        });
        Ok(Begun { tables: taken.collect::<Result<_, _>>()?, log, hold })
    }
}

impl Begun {
    /// Notes the end of the log: everything acknowledged by now is in the cut.
    ///
    /// # Errors
    /// Returns an error if the log has failed.
    ///
    /// # Panics
    /// Panics if tables are ahead of what is durable.
    pub fn finish(self) -> Result<Cut, CutError> {
        self.finish_at(|_, end| end)
    }

    /// The same with other ends, for the simulator, which shows that its checks can fail. What the
    /// tables contain is the least.
    ///
    /// # Errors
    /// See [`Begun::finish`].
    #[cfg(feature = "simulation")]
    pub fn finish_with(self, other: impl Fn(PartitionId, Lsn) -> Lsn) -> Result<Cut, CutError> {
        self.finish_at(other)
    }

    fn finish_at(self, other: impl Fn(PartitionId, Lsn) -> Lsn) -> Result<Cut, CutError> {
        let Self { log, hold, tables } = self;
        let durable: BTreeMap<_, _> = log.durable()?;
        let end = |(partition, tables): (PartitionId, &StoreSnapshot)| {
            let end = Lsn(durable.get(&log_id(partition)).map_or(0, |last| last.0));
            assert!(
                tables.applied() <= end,
                "partition {}: the tables are at record {}, but only {} is durable",
                partition.0,
                tables.applied().0,
                end.0
            );
            other(partition, end).max(tables.applied())
        };
        let ends = (0..).map(PartitionId).zip(&tables).map(end).collect();
        Ok(Cut { log, hold: Some(hold), tables, ends })
    }
}

impl Cut {
    /// The partitions, by number.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..).map(PartitionId).take(self.tables.len())
    }

    /// The last record that the tables of a partition contain.
    pub fn applied(&self, partition: PartitionId) -> Lsn {
        self.tables[usize::from(partition.0)].applied()
    }

    /// The last record of a partition.
    pub fn end(&self, partition: PartitionId) -> Lsn {
        self.ends[usize::from(partition.0)]
    }

    /// Bytes of all rows, as far as that is known.
    pub fn row_bytes(&self) -> u64 {
        self.tables.iter().map(StoreSnapshot::bytes).sum()
    }

    /// The records of a partition that its tables do not contain, in order and without gaps.
    ///
    /// # Panics
    /// The iterator panics if the log has let go of a record, or ends too early.
    pub fn records(
        &self,
        partition: PartitionId,
    ) -> impl Iterator<Item = Result<Bytes, CutError>> + '_ {
        assert!(self.hold.is_some(), "records are read, but the log has been let go");
        let (applied, end) = (self.applied(partition), self.end(partition));
        let mut records = self.log.read(log_id(partition), runtime_log::Lsn(applied.0 + 1));
        (applied.0 + 1..=end.0).map(move |expected| match records.next() {
            Some(Ok((lsn, record))) => {
                assert!(
                    lsn.0 == expected,
                    "partition {}: record {expected} is read, but the log has {}",
                    partition.0,
                    lsn.0
                );
                Ok(record)
            }
            Some(Err(source)) => Err(CutError::Log { partition, source }),
            None => panic!("partition {}: the log has no record {expected}", partition.0),
        })
    }

    /// Lets the log go; its records cannot be read any more.
    pub fn release_log(&mut self) {
        self.hold = None;
    }

    /// The rows of a partition's tables, in the order of their keys, as they are stored.
    ///
    /// # Errors
    /// Returns an error if the tables cannot be read, and so do the items.
    pub fn rows(
        &self,
        partition: PartitionId,
    ) -> Result<impl Iterator<Item = Result<StoredRow, CutError>> + '_, CutError> {
        let wrong = move |source| CutError::of_tables(partition, source);
        let rows = self.tables[usize::from(partition.0)].rows().map_err(wrong)?;
        Ok(rows.map(move |row| row.map_err(wrong)))
    }
}

impl CutError {
    fn of_tables(partition: PartitionId, source: CopyError) -> Self {
        match source {
            CopyError::Closed => Self::Stopped,
            source @ (CopyError::Unreadable(_) | CopyError::Damaged { .. }) => {
                Self::Tables { partition, source }
            }
        }
    }
}
