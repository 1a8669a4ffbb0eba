//! Why a store cannot be opened, and why a checkpoint cannot be written.

use std::io;

use redb::StorageError;

use crate::{format::STORE_FORMAT, patient::is_full};

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open, even though the lock on the data directory was free.
    #[error("another process has it open; stop that process first")]
    InUse,
    /// The file is not a store, or is damaged.
    #[error("it is not a readable store: {0}")]
    Database(redb::DatabaseError),
    /// An I/O or database error occurred.
    #[error("it cannot be read or written: {0}")]
    Redb(redb::Error),
    /// Opening takes a little disk space, and there is not enough.
    #[error("its disk is full; free some space, then start again: {0}")]
    Full(String),
    /// It was written by another version of this software.
    #[error("its format is {found}, this version can only read {STORE_FORMAT}")]
    Format {
        /// The format in the file.
        found: u64,
    },
    /// It belongs to another partition, or to a node with a different number of partitions.
    #[error("it is partition {found} of {found_of}, expected {expected} of {expected_of}")]
    Partition {
        /// The partition in the file.
        found: u64,
        /// The number of partitions in the file.
        found_of: u64,
        /// The expected partition.
        expected: u16,
        /// The expected number of partitions.
        expected_of: u16,
    },
    /// It was copied from another node's data directory.
    #[error("it belongs to another data directory; restore the one that belongs here")]
    Directory,
    /// The file is missing, or cannot be accessed.
    #[error("its file cannot be used: {0}")]
    File(io::Error),
}

impl From<redb::Error> for OpenError {
    fn from(error: redb::Error) -> Self {
        if let redb::Error::Io(io) = &error
            && is_full(io)
        {
            return Self::Full(error.to_string());
        }
        Self::Redb(error)
    }
}

impl From<redb::DatabaseError> for OpenError {
    fn from(error: redb::DatabaseError) -> Self {
        if let redb::DatabaseError::Storage(StorageError::Io(io)) = &error
            && is_full(io)
        {
            return Self::Full(error.to_string());
        }
        if matches!(error, redb::DatabaseError::DatabaseAlreadyOpen) {
            return Self::InUse;
        }
        Self::Database(error)
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full(error.to_string()) } else { Self::File(error) }
    }
}

/// Why a checkpoint could not be written, with the cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tables cannot be written: {0}; nothing is lost, since the log has everything: check the \
     disk, then start the node again"
)]
pub struct CheckpointError(pub(crate) String);
