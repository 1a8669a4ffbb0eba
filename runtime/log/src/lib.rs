//! The durable order: one segmented, checksummed, group-committed log for all partitions of a node.
//!
//! Reading order: [`Log`] (the contract), `frame` and `segment` (the bytes), `writer` (group
//! commit), `active` and `disk_space` (how a segment grows, and a full disk), `recovery`, `scan` and
//! `carry` (telling a torn tail from damage, and what is certain), `segments` (trimming) and
//! [`hold`] (what puts it off), [`file_log`] (the thread) and `chores` (its background work), [`disk`] (the storage; `sim_disk`
//! in simulations).
//!
//! **Invariant:** `done` is called with `Ok` only after the batch and every batch before it are on
//! disk, in the order of the calls. After one failure nothing is acknowledged any more. A full disk
//! is not a failure: batches that do not fit wait, and so does their `done`.

mod active;
mod carry;
mod chores;
pub mod disk;
mod disk_space;
pub mod error;
pub mod file_log;
mod frame;
pub mod hold;
pub mod manual_log;
mod reader;
mod recovery;
mod scan;
mod segment;
mod segments;
#[cfg(any(test, feature = "simulation"))]
pub mod sim_disk;
mod writer;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use disk_space::{LogOptions, Owner, RESERVE_BYTES, STEP_BYTES};
pub use error::{AppendError, OpenError, ReadError};
pub use file_log::{FileLog, exists, look};
pub use hold::Hold;
pub use manual_log::ManualLog;
pub use recovery::Look;
pub use segment::FORMAT;
pub use writer::Metrics;

/// Largest record, in bytes. A client request of 32 MiB, the default limit, is a quarter of this.
pub const RECORD_BYTES_MAX: u64 = 128 << 20;

/// Largest payload of a batch, in bytes (see [`Batch::payload_bytes`]): a batch is assembled and
/// read back in one piece. Length fields have four bytes, so this is far below what they can hold.
pub const BATCH_BYTES_MAX: u64 = 256 << 20;

/// Log sequence number of a record in its partition: contiguous from 1; 0 is before the first
/// record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// Number of a partition of the node, from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(pub u16);

/// Consecutive records of one partition. A batch without records is a barrier: `done` is called
/// once everything appended before it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Partition the records belong to.
    pub partition: PartitionId,
    /// LSN of the first record.
    pub first_lsn: Lsn,
    /// Payloads of the records, in order.
    pub records: Vec<Bytes>,
}

impl Batch {
    /// Size of the records as written: for each, a four-byte length and its bytes.
    pub fn payload_bytes(&self) -> u64 {
        self.records.iter().map(|record| 4 + record.len() as u64).sum()
    }

    /// # Panics
    /// Panics if the batch is too large to be read back.
    pub(crate) fn check(&self) {
        let id = self.partition.0;
        for (lsn, record) in (self.first_lsn.0..).zip(&self.records) {
            let bytes = record.len() as u64;
            assert!(
                bytes <= RECORD_BYTES_MAX,
                "record {lsn} of partition {id} has {bytes} bytes; the maximum is {RECORD_BYTES_MAX}"
            );
        }
        let bytes = self.payload_bytes();
        assert!(
            bytes <= BATCH_BYTES_MAX,
            "a batch of partition {id} has {bytes} bytes; the maximum is {BATCH_BYTES_MAX}"
        );
    }
}

/// Called once with the outcome of an append.
pub type Done = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// Records of one partition with their LSNs, in order.
pub type Records<'a> = Box<dyn Iterator<Item = Result<(Lsn, Bytes), ReadError>> + 'a>;

/// What a log guarantees, for each partition independently. Code above it must not assume that
/// there is a file: a replicated log can give the same guarantees.
pub trait Log: Send + Sync {
    /// Appends a batch; `done` is called once it is durable. Does not block.
    ///
    /// While the disk is full `done` is not called at all: what was not written may still become
    /// durable once there is space.
    ///
    /// # Panics
    /// Panics if the batch does not continue its partition without a gap, if a record is larger
    /// than [`RECORD_BYTES_MAX`], or if the batch is larger than [`BATCH_BYTES_MAX`].
    fn append(&self, batch: Batch, done: Done);

    /// The durable records of a partition, starting at `from`.
    fn read(&self, partition: PartitionId, from: Lsn) -> Records<'_>;

    /// LSN of the last record of a partition, trimmed or not.
    fn last_lsn(&self, partition: PartitionId) -> Lsn;

    /// LSN from which all records of a partition can be read: 1 if none was ever removed, and one
    /// past the last record if all were.
    fn oldest(&self, partition: PartitionId) -> Lsn;

    /// Declares records up to `upto` as no longer needed. The log does not persist this: after it
    /// is opened it has to be told again, for every partition.
    fn trim(&self, partition: PartitionId, upto: Lsn);

    /// Keeps every record that can be read now, even if it is trimmed meanwhile. Trims that were
    /// declared take effect soon after the last hold has been dropped. A log that is held grows: look
    /// at [`Log::is_short`] now and then.
    fn hold(&self) -> Hold;

    /// LSN of the last durable record of each partition that has any, as of one moment. All partitions
    /// share one durable order, and this is a prefix of it: the state that a crash would leave. What
    /// has been acknowledged before the call is in it, and if a record is, so is everything that was
    /// durable when it was appended, in whatever partition.
    ///
    /// # Errors
    /// Returns the error after which nothing became durable any more.
    fn durable(&self) -> Result<BTreeMap<PartitionId, Lsn>, AppendError>;

    /// Whether the disk is so full that the log has less than its reserve and cannot get more. Only
    /// work that frees space should be appended then. Becomes false again by itself.
    fn is_short(&self) -> bool {
        false
    }

    /// Bytes that are certain to fit, whatever happens to the free space on the disk.
    fn room_bytes(&self) -> u64 {
        u64::MAX
    }
}

#[cfg(test)]
mod tests;
