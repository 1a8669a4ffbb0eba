//! The adapter to redb: opening stores, and the steps of a checkpoint.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::{Builder, Database, ReadableDatabase, StorageBackend, backends::FileBackend};
use runtime_core::{
    Lsn,
    tables::{Overlay, Snapshot},
};

use crate::{
    base::{Base, FileRows, Frozen},
    checkpoint::{Checkpoint, CheckpointDone},
    compact,
    copy::StoreSource,
    error::{CheckpointError, OpenError},
    format::{
        APPLIED_LSN, DIRECTORY, FORMAT, META, PARTITION, PARTITIONS, ROW_BYTES, ROWS, STORE_FORMAT,
    },
    patient::{self, Condition, PatientBackend},
};

/// Identifies a store: the partition and the data directory that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreName {
    /// The partition whose rows it holds.
    pub partition: u16,
    /// The node's number of partitions.
    pub partitions: u16,
    /// The data directory's fingerprint, if it has one.
    pub directory: Option<u128>,
}

/// Memory that redb may use for its page cache, in bytes. Only reads fill it, and the hot rows are
/// in the overlays anyway.
pub(crate) const CACHE_BYTES_MAX: usize = 16 << 20;

/// One partition's rows.
pub struct Store {
    database: Arc<Database>,
    base: Base,
    applied: Lsn,
    /// The last record of the checkpoint being written, if there is one.
    writing: Option<Lsn>,
    /// Bytes of keys and values in the file, if it tracks them.
    row_bytes: Option<u64>,
    condition: Arc<Condition>,
}

/// Reports whether the disk of a node's stores is out of space. One thread writes the checkpoints
/// of all stores, and all are on one disk, so when one waits, all do.
#[derive(Debug, Clone)]
pub struct DiskSpace(Arc<[Arc<Condition>]>);

impl DiskSpace {
    /// Creates a handle that covers these stores.
    pub fn of(stores: &[Store]) -> Self {
        Self(stores.iter().map(|store| Arc::clone(&store.condition)).collect())
    }

    /// Whether a checkpoint is waiting for disk space. The log grows in the meantime, so new work
    /// should be refused. The condition clears by itself once there is space.
    pub fn is_short(&self) -> bool {
        self.0.iter().any(|condition| condition.is_waiting())
    }
}

impl Store {
    /// Opens an existing file. A file that is mostly free is compacted first, which may take
    /// seconds.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or is not the store named `name`.
    pub fn open_file(path: &Path, name: StoreName) -> Result<Self, OpenError> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() == 0 {
            // redb would create a new database in it.
            return Err(OpenError::File(io::Error::new(io::ErrorKind::InvalidData, "it is empty")));
        }
        Self::open(FileBackend::new(file)?, name, patient::PAUSE, |database, file_bytes| {
            compact::consider(database, path, file_bytes)
        })
    }

    /// Creates a file and makes it durable in its directory. A crash leaves a complete file or
    /// none.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn create_file(path: &Path, name: StoreName) -> Result<Self, OpenError> {
        let temporary = path.with_extension("redb.new");
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => (), // A leftover of a crash.
        }
        let file = new_file(&temporary)?;
        let store = Self::open(FileBackend::new(file)?, name, patient::PAUSE, |_, _| Ok(()))?;
        std::fs::rename(&temporary, path)?;
        if let Some(dir) = path.parent() {
            std::fs::File::open(dir)?.sync_all()?;
        }
        Ok(store)
    }

    /// Opens a store on a medium other than a file, or creates it. Writes to a full medium are
    /// retried without a pause.
    ///
    /// # Errors
    /// See [`Self::open_file`].
    pub fn open_backend(
        backend: impl StorageBackend,
        partition: u16,
        partitions: u16,
    ) -> Result<Self, OpenError> {
        let name = StoreName { partition, partitions, directory: None };
        Self::open(backend, name, Duration::ZERO, |_, _| Ok(()))
    }

    fn open(
        medium: impl StorageBackend,
        name: StoreName,
        pause: Duration,
        prepare: impl FnOnce(&mut Database, u64) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let condition = Condition::new(pause);
        let backend = PatientBackend::new(medium, Arc::clone(&condition))?;
        let mut database =
            Builder::new().set_cache_size(CACHE_BYTES_MAX).create_with_backend(backend)?;
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
        prepare(&mut database, condition.len())?;
        let row_bytes = compact::row_bytes(&database)?;
        let file = read(&database, applied, &condition)?;
        let base = Base { frozen: Vec::new(), file };
        let database = Arc::new(database);
        Ok(Self { database, base, applied, writing: None, row_bytes, condition })
    }

    /// Whether a checkpoint of this store is waiting for disk space; see [`DiskSpace`].
    pub fn is_waiting_for_room(&self) -> bool {
        self.condition.is_waiting()
    }

    /// Length of the file, in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.condition.len()
    }

    /// Estimates which fraction of the file is free, from 0 to 1, erring on the high side. Free
    /// pages are reused, and returned to the file system at startup if they exceed half of the
    /// file. `None` for a large file of an older version that does not track its row bytes.
    pub fn free_share(&self) -> Option<f64> {
        Some(compact::free_share(self.file_bytes(), self.row_bytes?))
    }

    /// The last record contained in the file.
    pub fn applied(&self) -> Lsn {
        self.applied
    }

    /// Where copies of the file's rows are taken from.
    pub fn source(&self) -> StoreSource {
        let database = Arc::downgrade(&self.database);
        StoreSource { database, condition: Arc::clone(&self.condition) }
    }

    /// The rows below the live overlay.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Freezes the live overlay, whose last record is `applied`, and returns a checkpoint of it and
    /// of everything frozen earlier.
    ///
    /// # Panics
    /// Panics if the previous checkpoint has not been installed yet: at most one may be in
    /// progress.
    pub fn freeze(&mut self, live: &mut Overlay, applied: Lsn) -> Checkpoint {
        let writing = self.writing.replace(applied);
        assert!(
            writing.is_none(),
            "a checkpoint starts while the one up to {writing:?} is being written"
        );
        self.push(live, applied);
        let frozen = self.base.frozen.clone();
        Checkpoint { database: Arc::clone(&self.database), frozen, applied }
    }

    /// Returns a view of the current rows that the caller may keep indefinitely. The live overlay,
    /// whose last record is `applied`, becomes another frozen layer, which the next checkpoint
    /// writes.
    pub fn snapshot(&mut self, live: &mut Overlay, applied: Lsn) -> Base {
        self.push(live, applied);
        self.base.clone()
    }

    fn push(&mut self, live: &mut Overlay, applied: Lsn) {
        let newest = self.base.applied();
        assert!(
            newest <= applied,
            "rows up to record {applied:?} are frozen on top of newer ones up to {newest:?}"
        );
        if newest < applied {
            self.base.frozen.push(Frozen { rows: Arc::new(live.take()), applied });
        }
        assert!(live.is_empty(), "{} rows have changed since {applied:?}", live.len());
    }

    /// Number of frozen layers.
    pub fn layers(&self) -> usize {
        self.base.frozen.len()
    }

    /// Estimated memory of the frozen rows that no checkpoint is writing yet, in bytes.
    pub fn unwritten_bytes(&self) -> usize {
        let written = self.writing.unwrap_or(self.applied);
        let layers = self.base.frozen.iter().filter(|layer| layer.applied > written);
        layers.map(|layer| layer.rows.size_bytes()).sum()
    }

    /// Releases the layers that the checkpoint has written to the file. Returns the last record it
    /// contains.
    ///
    /// # Errors
    /// Returns an error if the file could not be written for any reason other than a full disk.
    /// Such a file cannot be read any more either, and the overlay would grow without bound, so the
    /// process must end; the log has everything.
    pub fn install(&mut self, done: CheckpointDone) -> Result<Lsn, CheckpointError> {
        let read = || read(&self.database, done.applied, &self.condition);
        let (row_bytes, file) = done
            .written
            .and_then(|row_bytes| Ok((row_bytes, read()?)))
            .map_err(|error| CheckpointError(self.condition.explain(&error)))?;
        let writing = self.writing.take();
        assert!(
            writing == Some(done.applied),
            "installed a checkpoint other than the one in progress, up to {writing:?}"
        );
        self.base.frozen.retain(|layer| layer.applied > done.applied);
        self.base.file = file;
        self.applied = done.applied;
        self.row_bytes = row_bytes;
        Ok(self.applied)
    }
}

impl Drop for Store {
    /// Stops a checkpoint that waits for disk space. It need not be written any more: the log has
    /// everything.
    fn drop(&mut self) {
        self.condition.stop();
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

/// Reads a store's identity; `None` if the store is empty.
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

/// Creates a file that does not exist yet.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

pub(crate) fn create(database: &Database, name: StoreName) -> Result<(), redb::Error> {
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
        meta.insert(ROW_BYTES, 0)?;
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

fn read(
    database: &Database,
    applied: Lsn,
    condition: &Arc<Condition>,
) -> Result<FileRows, redb::Error> {
    let rows = database.begin_read()?.open_table(ROWS)?;
    Ok(FileRows::new(rows, applied, Arc::clone(condition)))
}
