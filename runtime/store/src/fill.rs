//! A new store that gets the rows of a copy.

use std::path::Path;

use redb::{Builder, Database, StorageBackend, backends::FileBackend};
use runtime_core::Lsn;

use crate::{
    checked,
    engine::{self, CACHE_BYTES_MAX, StoreName},
    error::OpenError,
    format::{APPLIED_LSN, META, ROW_BYTES, ROWS},
};

/// Bytes of rows that are written in one transaction: enough to make the cost of its sync
/// negligible.
const TRANSACTION_BYTES: usize = 16 << 20;

/// Why a row cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// Rows come in the order of their keys, each once.
    #[error("the row at {0:?} does not follow the one before it")]
    Order(Vec<u8>),
    /// A row does not match its checksum.
    #[error("the row at {0:?} is damaged")]
    Damaged(Vec<u8>),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] OpenError),
}

/// A store being filled. It is complete once [`StoreFill::finish`] has returned.
pub struct StoreFill {
    database: Database,
    /// Rows of the next transaction.
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    /// Key of the last row.
    last: Option<Vec<u8>>,
    row_bytes: u64,
}

impl StoreFill {
    /// Creates the file.
    ///
    /// # Errors
    /// Returns an error if it exists, or cannot be written.
    pub fn create_file(path: &Path, name: StoreName) -> Result<Self, OpenError> {
        let file = engine::new_file(path)?;
        Self::create(FileBackend::new(file)?, name)
    }

    /// Creates a store on an empty medium.
    ///
    /// # Errors
    /// Returns an error if the medium cannot be written.
    pub fn create(medium: impl StorageBackend, name: StoreName) -> Result<Self, OpenError> {
        let database =
            Builder::new().set_cache_size(CACHE_BYTES_MAX).create_with_backend(medium)?;
        engine::create(&database, name)?;
        Ok(Self { database, rows: Vec::new(), bytes: 0, last: None, row_bytes: 0 })
    }

    /// Adds a row as it was stored.
    ///
    /// # Errors
    /// Returns an error if it is not a row that can follow, or cannot be written.
    pub fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), FillError> {
        if self.last.as_deref().is_some_and(|last| last >= key) {
            return Err(FillError::Order(key.to_vec()));
        }
        if !checked::is_intact(key, value) {
            return Err(FillError::Damaged(key.to_vec()));
        }
        self.last = Some(key.to_vec());
        self.bytes += key.len() + value.len();
        self.rows.push((key.to_vec(), value.to_vec()));
        if self.bytes >= TRANSACTION_BYTES {
            self.write(None)?;
        }
        Ok(())
    }

    /// Completes the store, whose rows contain the changes up to this record. Everything is durable
    /// on return.
    ///
    /// # Errors
    /// Returns an error if it cannot be written.
    pub fn finish(mut self, applied: Lsn) -> Result<(), FillError> {
        Ok(self.write(Some(applied))?)
    }

    fn write(&mut self, applied: Option<Lsn>) -> Result<(), OpenError> {
        self.row_bytes += self.bytes as u64;
        self.bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        Ok(self.commit(&rows, applied)?)
    }

    fn commit(&self, rows: &[(Vec<u8>, Vec<u8>)], applied: Option<Lsn>) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(true);
        {
            let mut table = transaction.open_table(ROWS)?;
            for (key, value) in rows {
                table.insert(&key[..], &value[..])?;
            }
        }
        if let Some(applied) = applied {
            let mut meta = transaction.open_table(META)?;
            meta.insert(APPLIED_LSN, applied.0)?;
            meta.insert(ROW_BYTES, self.row_bytes)?;
        }
        Ok(transaction.commit()?)
    }
}
