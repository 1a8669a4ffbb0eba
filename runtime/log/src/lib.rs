//! The durable order: one segmented, checksummed, group-committed log for all partitions of a node.
//!
//! Reading order: [`Log`] (the contract), [`frame`] and [`segment`] (the bytes), [`writer`] (group
//! commit), `recovery` (what is a torn tail and what is damage), [`file_log`] (the thread),
//! [`disk`] and [`sim_disk`] (what it stands on).
//!
//! **Invariant:** `done` is called with `Ok` only after the batch and every batch before it are on
//! disk, in the order of the calls. After one failure nothing is acknowledged any more.

pub mod disk;
pub mod error;
pub mod file_log;
pub mod frame;
pub mod manual_log;
mod recovery;
pub mod segment;
pub mod sim_disk;
pub mod writer;

use bytes::Bytes;

pub use error::{AppendError, OpenError, ReadError};
pub use file_log::FileLog;
pub use manual_log::ManualLog;
pub use writer::Metrics;

/// Number of a record in its partition: contiguous from 1; 0 is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// Number of a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u16);

/// Successive records of one partition. Without records it is a barrier: `done` is called when
/// everything appended before it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whose records.
    pub partition: PartitionId,
    /// Number of the first.
    pub first_lsn: Lsn,
    /// Their payloads.
    pub records: Vec<Bytes>,
}

/// Told once how an append ended.
pub type Done = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// Records of one partition in order.
pub type Records<'a> = Box<dyn Iterator<Item = Result<(Lsn, Bytes), ReadError>> + 'a>;

/// What a log promises, for each partition by itself. Nothing above it may assume a file: a
/// replicated log can keep the same promises.
pub trait Log: Send + Sync {
    /// Takes a batch; `done` is called when it is durable. Does not wait.
    ///
    /// # Panics
    /// When the batch does not continue its partition: records are numbered without a gap.
    fn append(&self, batch: Batch, done: Done);

    /// The records of a partition from `from` on, those that are durable.
    fn read(&self, partition: PartitionId, from: Lsn) -> Records<'_>;

    /// The last record of a partition, trimmed or not.
    fn last_lsn(&self, partition: PartitionId) -> Lsn;

    /// Records up to `upto` are no longer needed.
    fn trim(&self, partition: PartitionId, upto: Lsn);

    /// Whether the disk has too little room to take new work on.
    fn is_short(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
