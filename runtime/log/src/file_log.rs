//! The log on its own thread: drain everything that is queued, commit it with one sync, repeat.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::{
    AppendError, Batch, Done, Hold, Log, LogOptions, Lsn, ManualLog, Metrics, OpenError, Owner,
    PartitionId, Records,
    chores::{Chore, Chores},
    disk::{Disk, RealDisk, names_in},
    recovery::{self, Look},
    segment,
};

/// How long to gather batches when the previous fsync was shared or several are queued: more are
/// likely to arrive within this time, and an fsync costs the same for one batch as for many. A
/// batch that arrives alone is not delayed.
const GATHER: Duration = Duration::from_micros(300);

/// A node's log, stored in files and written by a thread of its own.
pub struct FileLog<D: Disk = RealDisk> {
    shared: Arc<Shared<D>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<D: Disk> {
    log: ManualLog<D>,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    batches: Vec<(Batch, Done)>,
    trims: Vec<(PartitionId, Lsn)>,
    stop: bool,
}

/// Whether a directory contains a log, that is, at least one segment.
///
/// # Errors
/// Returns an error if the directory exists but cannot be read.
pub fn exists(dir: &Path) -> io::Result<bool> {
    match names_in(dir) {
        Ok(names) => Ok(names.iter().any(|name| segment::number_of(name).is_some())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads all of a log that no process has open, and changes nothing. `None` if there is none.
///
/// # Errors
/// Returns the error that opening it would return.
pub fn look(dir: &Path, owner: Owner) -> Result<Option<Look>, OpenError> {
    recovery::look(&RealDisk::existing(dir), owner)
}

impl FileLog {
    /// Opens the log in a directory, or creates one, and starts its thread. A plain number as
    /// `options` sets the segment size in bytes.
    ///
    /// # Errors
    /// Returns an error if a disk operation fails or the log is damaged.
    pub fn open(dir: &Path, options: impl Into<LogOptions>) -> Result<Self, OpenError> {
        Self::open_for(dir, options, &BTreeMap::new())
    }

    /// Like [`FileLog::open`], for tables that already contain the records up to these LSNs.
    ///
    /// # Errors
    /// Also returns an error if the log does not continue from there; nothing has been changed
    /// then.
    pub fn open_for(
        dir: &Path,
        options: impl Into<LogOptions>,
        tables: &BTreeMap<PartitionId, Lsn>,
    ) -> Result<Self, OpenError> {
        let disk = RealDisk::open(dir).map_err(|source| OpenError::Io {
            what: format!("{} cannot be used", dir.display()),
            source,
        })?;
        Self::open_on(disk, options, tables)
    }
}

impl<D: Disk> FileLog<D> {
    /// Opens the log on a disk, or creates one, and starts its thread.
    ///
    /// # Errors
    /// Returns an error if a disk operation fails, the log is damaged, or it does not continue from
    /// `tables`.
    pub fn open_on(
        disk: D,
        options: impl Into<LogOptions>,
        tables: &BTreeMap<PartitionId, Lsn>,
    ) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared {
            log: ManualLog::open_for(disk, options, tables)?,
            queue: Mutex::default(),
            arrived: Condvar::new(),
        });
        let owner = Arc::clone(&shared);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || owner.run());
        let what = "the log's thread cannot be started".to_owned();
        let thread = thread.map_err(|source| OpenError::Io { what, source })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Counters of what the log has done since it was opened.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.shared.log.metrics()
    }
}

impl<D: Disk> Drop for FileLog<D> {
    /// Commits what is left, seals, and waits for the thread. For batches that do not fit on the
    /// disk `done` is never called: they are not durable, but have not been reported as failed
    /// either.
    fn drop(&mut self) {
        self.shared.put(|queue| queue.stop = true);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already reported where it happened.
            let _ = thread.join();
        }
    }
}

impl<D: Disk> Log for FileLog<D> {
    fn append(&self, batch: Batch, done: Done) {
        batch.check();
        self.shared.put(|queue| queue.batches.push((batch, done)));
    }

    fn read(&self, partition: PartitionId, from: Lsn) -> Records<'_> {
        self.shared.log.read(partition, from)
    }

    fn last_lsn(&self, partition: PartitionId) -> Lsn {
        self.shared.log.last_lsn(partition)
    }

    fn oldest(&self, partition: PartitionId) -> Lsn {
        self.shared.log.oldest(partition)
    }

    fn trim(&self, partition: PartitionId, upto: Lsn) {
        self.shared.put(|queue| queue.trims.push((partition, upto)));
    }

    fn hold(&self) -> Hold {
        self.shared.log.hold()
    }

    fn durable(&self) -> Result<BTreeMap<PartitionId, Lsn>, AppendError> {
        self.shared.log.durable()
    }

    fn is_short(&self) -> bool {
        self.shared.log.is_short()
    }

    fn room_bytes(&self) -> u64 {
        self.shared.log.room_bytes()
    }
}

impl<D: Disk> Shared<D> {
    fn run(&self) {
        let started = Instant::now();
        let mut chores = Chores::default();
        let mut was_shared = false;
        loop {
            let mut queue = self.take(chores.wait(started.elapsed()));
            if (queue.batches.len() > 1 || was_shared) && !queue.stop {
                thread::sleep(GATHER);
                let more = std::mem::take(&mut *self.lock());
                queue.batches.extend(more.batches);
                queue.trims.extend(more.trims);
                queue.stop |= more.stop;
            }
            was_shared = queue.batches.len() > 1;
            for (batch, done) in queue.batches {
                self.log.append(batch, done);
            }
            if self.log.has_pending() {
                self.log.commit();
                chores.committed(started.elapsed(), self.log.is_sealed());
            }
            for (partition, upto) in queue.trims {
                self.log.trim(partition, upto);
            }
            if queue.stop {
                // Every waiting append has already received the error.
                let _ = self.log.seal();
                return;
            }
            self.do_chores(&mut chores, started);
        }
    }

    fn do_chores(&self, chores: &mut Chores, started: Instant) {
        while let Some(chore) = chores.due(started.elapsed()) {
            match chore {
                Chore::Seal => drop(self.log.seal()), // The next append reports a failure.
                Chore::Retry => self.log.retry(),
            }
            chores.committed(started.elapsed(), self.log.is_sealed());
        }
        chores.owes(started.elapsed(), self.log.owes());
    }

    /// Takes everything that is queued. Waits for something to arrive, but no longer than
    /// `patience`.
    fn take(&self, patience: Option<Duration>) -> Queue {
        let is_empty = |queue: &mut Queue| queue.is_empty();
        let mut queue = match patience {
            None => self
                .arrived
                .wait_while(self.lock(), is_empty)
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.arrived.wait_timeout_while(self.lock(), patience, is_empty);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        std::mem::take(&mut *queue)
    }

    fn put(&self, put: impl FnOnce(&mut Queue)) {
        let mut queue = self.lock();
        let was_empty = queue.is_empty();
        put(&mut queue);
        drop(queue);
        if was_empty {
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.trims.is_empty() && !self.stop
    }
}
