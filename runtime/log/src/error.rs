//! What can go wrong with a log, one error type per operation.

use std::io;

use crate::{Lsn, PartitionId};

/// A batch is not durable and never will be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the log cannot be written: {message}")]
pub struct AppendError {
    /// The first error that the disk returned.
    pub message: String,
}

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A disk operation failed.
    #[error("{what}{}", advice(source))]
    Io {
        /// What could not be done.
        what: String,
        /// The disk's error.
        source: io::Error,
    },
    /// A file belongs to another data directory.
    #[error(
        "{file}: it belongs to the log of another data directory, or of one with a different number of \
         partitions; restore the log that belongs here"
    )]
    Stranger {
        /// Name of the file.
        file: String,
    },
    /// A file was written by another version of this software.
    #[error("{file}: its format is {found}, but this version reads formats 1 to {expected}")]
    Format {
        /// Name of the file.
        file: String,
        /// Format version of the file.
        found: u32,
        /// Newest format version that this version reads.
        expected: u32,
    },
    /// Something that was on disk is missing or has changed.
    #[error(
        "{file}: damaged at offset {offset}: {reason}; restore the whole data directory from one \
         copy, because the records after this point were acknowledged"
    )]
    Damaged {
        /// Name of the file.
        file: String,
        /// Byte offset of the damage in the file.
        offset: u64,
        /// What is wrong at that offset.
        reason: String,
    },
    /// The tables contain records that the log does not have.
    #[error(
        "the tables of partition {} have record {}, but the log ends at {}: it has lost its end, or the \
         two are from different points in time; restore all of the log and the tables from one copy",
        .partition.0, .applied.0, .last.0
    )]
    EndMissing {
        /// Partition of the tables.
        partition: PartitionId,
        /// LSN of the last record in the tables.
        applied: Lsn,
        /// LSN of the last record in the log.
        last: Lsn,
    },
    /// The log does not have the records that follow those in the tables.
    #[error(
        "the tables of partition {} have record {}, but the log only starts at {}: it has lost its \
         beginning, or the tables are older; restore all of the log and the tables from one copy",
        .partition.0, .applied.0, .oldest.0
    )]
    BeginningMissing {
        /// Partition of the tables.
        partition: PartitionId,
        /// LSN of the last record in the tables.
        applied: Lsn,
        /// LSN of the first record in the log.
        oldest: Lsn,
    },
    /// A segment is missing between two others.
    #[error(
        "segment {missing} of the log is missing, but later ones exist; restore the whole data directory \
         from one copy"
    )]
    SegmentMissing {
        /// Number of the missing segment.
        missing: u64,
    },
}

/// What the operator can do about an error, if that is known.
fn advice(error: &io::Error) -> &'static str {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    if is_full { "; free some disk space, then start again" } else { "" }
}

/// Records cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A disk operation failed.
    #[error("{file}: {source}")]
    Io {
        /// Name of the file.
        file: String,
        /// The disk's error.
        source: io::Error,
    },
    /// Data that was there when the log was opened is missing or has changed.
    #[error("{file}: damaged at offset {offset}")]
    Damaged {
        /// Name of the file.
        file: String,
        /// Byte offset of the damage in the file.
        offset: u64,
    },
}
