//! The adapter to redb: opening, and the steps of a checkpoint.

use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase, StorageBackend};
use runtime_core::{Lsn, tables::Overlay};

use crate::{
    base::{Base, FileRows},
    checkpoint::{Checkpoint, CheckpointDone},
    format::{APPLIED_LSN, DIRECTORY, FORMAT, META, PARTITION, PARTITIONS, ROWS, STORE_FORMAT},
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
    /// It was copied from another node's data.
    #[error("it is another data directory's; restore the one that belongs here")]
    Directory,
    /// Making it failed half-way; nothing is left of it.
    #[error("it cannot be made: {0}")]
    Create(#[from] std::io::Error),
}

/// What a file is: whose rows it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreName {
    /// Whose rows.
    pub partition: u16,
    /// Of how many.
    pub partitions: u16,
    /// The data directory's fingerprint, if it has one.
    pub directory: Option<u128>,
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
    /// Opens a file that is there.
    ///
    /// # Errors
    /// When it cannot be read, or is not the store of this name.
    pub fn open_file(path: &Path, name: StoreName) -> Result<Self, OpenError> {
        let database = Builder::new().set_cache_size(CACHE_BYTES_MAX).open(path)?;
        Self::open(database, name)
    }

    /// Makes a file, durable in its directory; there is a whole one or none after a crash.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create_file(path: &Path, name: StoreName) -> Result<Self, OpenError> {
        let temporary = path.with_extension("redb.new");
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => (), // What a crash left.
        }
        let database = Builder::new().set_cache_size(CACHE_BYTES_MAX).create(&temporary)?;
        let store = Self::open(database, name)?;
        std::fs::rename(&temporary, path)?;
        if let Some(dir) = path.parent() {
            std::fs::File::open(dir)?.sync_all()?;
        }
        Ok(store)
    }

    /// Opens a store on another medium than a file, or creates it.
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
        Self::open(database, StoreName { partition, partitions, directory: None })
    }

    fn open(database: Database, name: StoreName) -> Result<Self, OpenError> {
        let applied = match identify(&database)? {
            None => {
                create(&database, name)?;
                Lsn(0)
            }
            Some(identity) => {
                identity.check(name)?;
                Lsn(identity.applied)
            }
        };
        let file = read(&database, applied)?;
        Ok(Self { database: Arc::new(database), base: Base { frozen: None, file }, applied })
    }

    /// The last record that the file knows.
    pub fn applied(&self) -> Lsn {
        self.applied
    }

    /// Whether a checkpoint waits for room on the disk.
    pub fn is_waiting_for_room(&self) -> bool {
        false
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
    directory: Option<u128>,
    applied: u64,
}

impl Identity {
    fn check(&self, name: StoreName) -> Result<(), OpenError> {
        if self.format != STORE_FORMAT {
            return Err(OpenError::Format { found: self.format });
        }
        let StoreName { partition: expected, partitions: expected_of, directory } = name;
        let (found, found_of) = (self.partition, self.partitions);
        if (found, found_of) != (u64::from(expected), u64::from(expected_of)) {
            return Err(OpenError::Partition { found, found_of, expected, expected_of });
        }
        if self.directory != directory {
            return Err(OpenError::Directory);
        }
        Ok(())
    }
}

/// What a store says of itself; `None` when it is empty.
fn identify(database: &Database) -> Result<Option<Identity>, redb::Error> {
    let transaction = database.begin_read()?;
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let find = |name| Ok::<_, redb::Error>(meta.get(name)?.map(|value| value.value()));
    let number = |name| Ok::<_, redb::Error>(find(name)?.unwrap_or(0));
    let halves = find(DIRECTORY[0])?.zip(find(DIRECTORY[1])?);
    Ok(Some(Identity {
        directory: halves.map(|(high, low)| (u128::from(high) << 64) | u128::from(low)),
        format: number(FORMAT)?,
        partition: number(PARTITION)?,
        partitions: number(PARTITIONS)?,
        applied: number(APPLIED_LSN)?,
    }))
}

fn create(database: &Database, name: StoreName) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert(FORMAT, STORE_FORMAT)?;
        meta.insert(PARTITION, u64::from(name.partition))?;
        meta.insert(PARTITIONS, u64::from(name.partitions))?;
        if let Some(directory) = name.directory {
            let [high, low] = halves(directory);
            meta.insert(DIRECTORY[0], high)?;
            meta.insert(DIRECTORY[1], low)?;
        }
        meta.insert(APPLIED_LSN, 0)?;
        transaction.open_table(ROWS)?;
    }
    transaction.commit()?;
    Ok(())
}

fn halves(fingerprint: u128) -> [u64; 2] {
    let bytes = fingerprint.to_be_bytes();
    let half = |at: usize| {
        let mut half = [0; 8];
        half.copy_from_slice(&bytes[at..at + 8]);
        u64::from_be_bytes(half)
    };
    [half(0), half(8)]
}

fn read(database: &Database, applied: Lsn) -> Result<FileRows, redb::Error> {
    Ok(FileRows::new(database.begin_read()?.open_table(ROWS)?, applied))
}
