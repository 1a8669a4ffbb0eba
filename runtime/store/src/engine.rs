//! The adapter to redb: opening, and the steps of a checkpoint.

use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase, StorageBackend};
use runtime_core::{Lsn, tables::Overlay};

use crate::{
    base::{Base, FileRows},
    checkpoint::{Checkpoint, CheckpointDone},
    format::{APPLIED_LSN, FORMAT, META, PARTITION, PARTITIONS, ROWS, STORE_FORMAT},
};

/// A store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is no store, it is damaged, or another process has it.
    #[error("it is not a store that can be read: {0}")]
    Database(#[from] redb::DatabaseError),
    /// Reading or writing it failed.
    #[error("it cannot be read or written: {0}")]
    Redb(#[from] redb::Error),
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
}

/// Memory that redb may use to keep pages, in bytes. It is filled only by what is read, and the hot
/// rows are in the overlays anyway.
const CACHE_BYTES_MAX: usize = 64 << 20;

/// One partition's rows.
pub struct Store {
    database: Arc<Database>,
    base: Base,
    applied: Lsn,
}

impl Store {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// When it cannot be read, or is not the store of this partition.
    pub fn open_file(path: &Path, partition: u16, partitions: u16) -> Result<Self, OpenError> {
        let database = Builder::new().set_cache_size(CACHE_BYTES_MAX).create(path)?;
        Self::open(database, partition, partitions)
    }

    /// Opens a store on another medium than a file.
    ///
    /// # Errors
    /// As [`Self::open_file`].
    pub fn open_backend(
        backend: impl StorageBackend,
        partition: u16,
        partitions: u16,
    ) -> Result<Self, OpenError> {
        let database =
            Builder::new().set_cache_size(CACHE_BYTES_MAX).create_with_backend(backend)?;
        Self::open(database, partition, partitions)
    }

    fn open(database: Database, partition: u16, partitions: u16) -> Result<Self, OpenError> {
        let applied = match identify(&database)? {
            None => {
                create(&database, partition, partitions)?;
                Lsn(0)
            }
            Some(Identity { format, .. }) if format != STORE_FORMAT => {
                return Err(OpenError::Format { found: format });
            }
            Some(Identity { partition: found, partitions: found_of, applied, .. }) => {
                if (found, found_of) != (u64::from(partition), u64::from(partitions)) {
                    let (expected, expected_of) = (partition, partitions);
                    return Err(OpenError::Partition { found, found_of, expected, expected_of });
                }
                Lsn(applied)
            }
        };
        let file = read(&database, applied)?;
        Ok(Self { database: Arc::new(database), base: Base { frozen: None, file }, applied })
    }

    /// The last record that the file knows.
    pub fn applied(&self) -> Lsn {
        self.applied
    }

    /// What a reader sees below the live overlay.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Takes the live overlay, which stands at `applied`, out of the partition's hands.
    ///
    /// # Panics
    /// When the last checkpoint has not been installed yet: there is at most one frozen overlay.
    pub fn freeze(&mut self, live: &mut Overlay, applied: Lsn) -> Checkpoint {
        assert!(self.base.frozen.is_none(), "a checkpoint at a time");
        let frozen = Arc::new(live.take());
        self.base.frozen = Some((Arc::clone(&frozen), applied));
        Checkpoint { database: Arc::clone(&self.database), frozen, applied }
    }

    /// Lets go of the frozen overlay: the file has it. Returns the record it stands at.
    ///
    /// # Panics
    /// When the file could not be written: going on would let the overlay grow without bound, and
    /// the log has everything.
    pub fn install(&mut self, done: CheckpointDone) -> Lsn {
        let written = done.written.and_then(|()| read(&self.database, done.applied));
        match written {
            Ok(file) => self.base = Base { frozen: None, file },
            Err(error) => panic!("a checkpoint cannot be written: {error}"),
        }
        self.applied = done.applied;
        self.applied
    }
}

struct Identity {
    format: u64,
    partition: u64,
    partitions: u64,
    applied: u64,
}

/// What a store says of itself; `None` when it is empty.
fn identify(database: &Database) -> Result<Option<Identity>, redb::Error> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let number = |name| Ok::<_, redb::Error>(meta.get(name)?.map_or(0, |value| value.value()));
    Ok(Some(Identity {
        format: number(FORMAT)?,
        partition: number(PARTITION)?,
        partitions: number(PARTITIONS)?,
        applied: number(APPLIED_LSN)?,
    }))
}

fn create(database: &Database, partition: u16, partitions: u16) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(FORMAT, STORE_FORMAT)?;
        meta.insert(PARTITION, u64::from(partition))?;
        meta.insert(PARTITIONS, u64::from(partitions))?;
        meta.insert(APPLIED_LSN, 0)?;
        transaction.open_table(ROWS)?;
    }
    transaction.commit()?;
    Ok(())
}

fn read(database: &Database, applied: Lsn) -> Result<FileRows, redb::Error> {
    Ok(FileRows::new(database.begin_read()?.open_table(ROWS)?, applied))
}
