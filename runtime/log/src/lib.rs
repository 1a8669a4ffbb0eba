//! The durable order: one segmented, checksummed, group-committed log for all partitions of a node.
//!
//! Reading order: [`Log`] (the contract), `frame` and `segment` (the bytes), `writer` (group commit),
//! `active` and `room` (how a segment grows, and a full disk), `recovery`, `scan` and `carry` (what is a
//! torn tail, what is damage, and what is certain), `segments` (trimming), [`file_log`] (the thread) and
//! `chores` (what it does unasked), [`disk`] (what it stands on; `sim_disk` in simulations).
//!
//! **Invariant:** `done` is called with `Ok` only after the batch and every batch before it are on
//! disk, in the order of the calls. After one failure nothing is acknowledged any more. A full disk is
//! no failure: what does not fit waits, and `done` with it.

mod active;
mod carry;
mod chores;
pub mod disk;
pub mod error;
pub mod file_log;
mod frame;
pub mod manual_log;
mod reader;
mod recovery;
mod room;
mod scan;
mod segment;
mod segments;
#[cfg(any(test, feature = "simulation"))]
pub mod sim_disk;
mod writer;

use bytes::Bytes;

pub use error::{AppendError, OpenError, ReadError};
pub use file_log::{FileLog, exists};
pub use manual_log::ManualLog;
pub use room::{Options, Owner, RESERVE_BYTES, STEP_BYTES};
pub use writer::Metrics;

/// The largest record. A client's request of 32 MiB, the default limit, is a quarter of it.
pub const RECORD_BYTES_MAX: u64 = 128 << 20;

/// The largest payload of a batch, see [`Batch::payload_bytes`]: what is put together, and read back,
/// in one piece. Lengths are written in four bytes; this is far below what they can say.
pub const BATCH_BYTES_MAX: u64 = 256 << 20;

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

impl Batch {
    /// Bytes of the records as they are written: four for the length of each, and its own.
    pub fn payload_bytes(&self) -> u64 {
        self.records.iter().map(|record| 4 + record.len() as u64).sum()
    }

    /// # Panics
    /// When it is larger than what can be read back.
    pub(crate) fn check(&self) {
        let id = self.partition.0;
        for (lsn, record) in (self.first_lsn.0..).zip(&self.records) {
            let bytes = record.len() as u64;
            assert!(
                bytes <= RECORD_BYTES_MAX,
                "record {lsn} of partition {id} has {bytes} bytes; the most is {RECORD_BYTES_MAX}"
            );
        }
        let bytes = self.payload_bytes();
        assert!(
            bytes <= BATCH_BYTES_MAX,
            "a batch of partition {id} has {bytes} bytes; the most is {BATCH_BYTES_MAX}"
        );
    }
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
    /// While the disk is full `done` is not called at all: what was not written may still become
    /// durable, as soon as there is room.
    ///
    /// # Panics
    /// When the batch does not continue its partition: records are numbered without a gap. When a
    /// record has more than [`RECORD_BYTES_MAX`], or the batch more than [`BATCH_BYTES_MAX`].
    fn append(&self, batch: Batch, done: Done);

    /// The records of a partition from `from` on, those that are durable.
    fn read(&self, partition: PartitionId, from: Lsn) -> Records<'_>;

    /// The last record of a partition, trimmed or not.
    fn last_lsn(&self, partition: PartitionId) -> Lsn;

    /// The lsn from which on all records of a partition can be read: 1 if none was ever removed, and one
    /// more than its last if all were.
    fn oldest(&self, partition: PartitionId) -> Lsn;

    /// Records up to `upto` are no longer needed. The log does not know that of a partition before it
    /// has been told since it was opened.
    fn trim(&self, partition: PartitionId, upto: Lsn);

    /// Whether the disk is so full that the log has less than its reserve and gets no more. What is
    /// appended then is to be what makes room. It becomes false again by itself.
    fn is_short(&self) -> bool {
        false
    }

    /// Bytes that can be appended for certain, whatever happens to the disk's free space.
    fn room_bytes(&self) -> u64 {
        u64::MAX
    }
}

#[cfg(test)]
mod tests;
