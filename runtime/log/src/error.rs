//! What can go wrong with a log, one enum an operation.

use std::io;

use crate::{Lsn, PartitionId};

/// A batch is not durable and never will be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the log cannot be written: {message}")]
pub struct AppendError {
    /// What the disk said, when it first refused.
    pub message: String,
}

/// A log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk refused.
    #[error("{what}{}", advice(source))]
    Io {
        /// What was being done.
        what: String,
        /// What the disk said.
        source: io::Error,
    },
    /// A file is another data directory's.
    #[error(
        "{file}: it is of the log of another data directory, or of one with another number of \
         partitions; restore the log that belongs here"
    )]
    Stranger {
        /// The file.
        file: String,
    },
    /// A file is of another version of this software.
    #[error("{file}: its format is {found}, this version can read 1 to {expected}")]
    Format {
        /// The file.
        file: String,
        /// What it says.
        found: u32,
        /// What this version writes.
        expected: u32,
    },
    /// Something that was on disk is not there any more, or is something else.
    #[error(
        "{file}: damaged at offset {offset}: {reason}; restore the whole data directory from one \
         copy, since the records after this point were acknowledged"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// The tables have records that the log does not have.
    #[error(
        "the tables of partition {} have record {}, but the log ends at {}: it has lost its end, or the \
         two are of different moments; restore all of the log, and the tables, from one copy",
        .partition.0, .applied.0, .last.0
    )]
    EndMissing {
        /// Whose.
        partition: PartitionId,
        /// The last record in the tables.
        applied: Lsn,
        /// The last record of the log.
        last: Lsn,
    },
    /// The log has no record of those that follow on the tables.
    #[error(
        "the tables of partition {} have record {}, but the log only begins at {}: it has lost its \
         beginning, or the tables are older; restore all of the log, and the tables, from one copy",
        .partition.0, .applied.0, .oldest.0
    )]
    BeginningMissing {
        /// Whose.
        partition: PartitionId,
        /// The last record in the tables.
        applied: Lsn,
        /// The first record of the log.
        oldest: Lsn,
    },
    /// A file is missing between two others.
    #[error(
        "the log has no segment {missing}, but has later ones; restore the whole data directory \
         from one copy"
    )]
    SegmentMissing {
        /// Its number.
        missing: u64,
    },
}

/// What to do about it, if that is known.
fn advice(error: &io::Error) -> &'static str {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    if is_full { "; make some room on its disk, then start again" } else { "" }
}

/// Records cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk refused.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the disk said.
        source: io::Error,
    },
    /// What was there when the log was opened is not there any more.
    #[error("{file}: damaged at offset {offset}")]
    Damaged {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
    },
}
