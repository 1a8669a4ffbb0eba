//! Why a store can't be opened, and why a checkpoint can't be written.

use std::io;

use redb::StorageError;

use crate::{format::STORE_FORMAT, patient::is_full};

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it, which the lock of its data directory did not say.
    #[error("another process has it open; stop that one first")]
    InUse,
    /// It is no store, or it is damaged.
    #[error("it is not a store that can be read: {0}")]
    Database(redb::DatabaseError),
    /// Reading or writing it failed.
    #[error("it cannot be read or written: {0}")]
    Redb(redb::Error),
    /// It takes a little room to open it.
    #[error("there is no room on its disk; make some, then start again: {0}")]
    Full(String),
    /// Written by another version of this software.
    #[error("its format is {found}, this version can only read {STORE_FORMAT}")]
    Format {
        /// What it says.
        found: u64,
    },
    /// It belongs to another partition, or to a node with another number of them.
    #[error("it is partition {found} of {found_of}, expected {expected} of {expected_of}")]
    Partition {
        /// What it says.
        found: u64,
        /// What it says.
        found_of: u64,
        /// What it should be.
        expected: u16,
        /// What it should be.
        expected_of: u16,
    },
    /// It was copied from another node's data.
    #[error("it is another data directory's; restore the one that belongs here")]
    Directory,
    /// The file is missing, or may not be used.
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

/// A checkpoint could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tables cannot be written: {0}; nothing is lost, since the log has everything: see to the \
     disk, then start the node again"
)]
pub struct CheckpointError(pub(crate) String);
