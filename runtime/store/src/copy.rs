//! The rows of a store's file as of its last checkpoint, for a copy that is made while later
//! checkpoints are written.

use std::sync::{Arc, Weak};

use redb::{Database, ReadOnlyTable, ReadableDatabase};
use runtime_core::Lsn;

use crate::{
    checked,
    format::{APPLIED_LSN, META, ROW_BYTES, ROWS},
    patient::Condition,
};

/// Where snapshots of a store are taken from, on any thread. Does not keep the store open.
#[derive(Clone)]
pub struct StoreSource {
    pub(crate) database: Weak<Database>,
    pub(crate) condition: Arc<Condition>,
}

/// Why a store cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The store has been closed.
    #[error("the node is stopping")]
    Closed,
    /// The file cannot be read.
    #[error("the tables cannot be read: {0}; check the disk")]
    Unreadable(String),
    /// A row does not match its checksum.
    #[error(
        "the row at {key:?} of the tables is damaged: restore the data directory from an older backup"
    )]
    Damaged {
        /// Key of the row.
        key: Vec<u8>,
    },
}

/// The rows of one moment. While it lives, pages that later checkpoints replace are not reused, so
/// the file grows.
pub struct StoreSnapshot {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    applied: Lsn,
    bytes: u64,
    condition: Arc<Condition>,
}

/// A key and the value that is stored for it.
pub type StoredRow = (Vec<u8>, Vec<u8>);

impl StoreSource {
    /// Takes a snapshot of what the last durable checkpoint has written.
    ///
    /// # Errors
    /// Returns an error if the store is closed or cannot be read.
    pub fn snapshot(&self) -> Result<StoreSnapshot, CopyError> {
        let database = self.database.upgrade().ok_or(CopyError::Closed)?;
        let read = || {
            let transaction = database.begin_read()?;
            let meta = transaction.open_table(META)?;
            let number = |name| Ok::<_, redb::Error>(meta.get(name)?.map_or(0, |it| it.value()));
            let (applied, bytes) = (Lsn(number(APPLIED_LSN)?), number(ROW_BYTES)?);
            let (rows, condition) = (transaction.open_table(ROWS)?, Arc::clone(&self.condition));
            Ok::<_, redb::Error>(StoreSnapshot { rows, applied, bytes, condition })
        };
        read().map_err(|error| CopyError::Unreadable(self.condition.explain(&error)))
    }
}

impl StoreSnapshot {
    /// The last record whose changes it contains.
    pub fn applied(&self) -> Lsn {
        self.applied
    }

    /// Bytes of all keys and values; 0 if an old file does not say.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All rows in the order of their keys, as they are stored.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read. So do the items, or if a row is damaged.
    pub fn rows(
        &self,
    ) -> Result<impl Iterator<Item = Result<StoredRow, CopyError>> + '_, CopyError> {
        let rows = self.rows.range::<&[u8]>(..).map_err(|error| self.unreadable(error))?;
        Ok(rows.map(|row| {
            let (key, value) = row.map_err(|error| self.unreadable(error))?;
            let (key, value) = (key.value(), value.value());
            if !checked::is_intact(key, value) {
                return Err(CopyError::Damaged { key: key.to_vec() });
            }
            Ok((key.to_vec(), value.to_vec()))
        }))
    }

    fn unreadable(&self, error: redb::StorageError) -> CopyError {
        CopyError::Unreadable(self.condition.explain(&error))
    }
}
