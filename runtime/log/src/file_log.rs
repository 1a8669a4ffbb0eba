//! The log on its own thread: drain everything that is ready, commit it with one sync, repeat.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::{
    Batch, Done, Log, Lsn, ManualLog, Metrics, OpenError, PartitionId, Records, disk::RealDisk,
};

/// When several batches share an fsync, others are likely to follow the next one within this time, and
/// an fsync costs as much for one as for many. Batches that come alone are not made to wait.
const GATHER: Duration = Duration::from_micros(300);

/// A log that has been idle for this long seals its last batch.
const SEAL_AFTER: Duration = Duration::from_secs(1);

/// The log of a node, in files.
pub struct FileLog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    log: ManualLog<RealDisk>,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    batches: Vec<(Batch, Done)>,
    trims: Vec<(PartitionId, Lsn)>,
    stop: bool,
}

impl FileLog {
    /// Opens the log in a directory, or starts one, and its thread.
    ///
    /// # Errors
    /// When the disk refuses, and when the log is damaged.
    pub fn open(dir: &Path, segment_bytes: u64) -> Result<Self, OpenError> {
        let io =
            |source| OpenError::Io { what: format!("{} cannot be used", dir.display()), source };
        let disk = RealDisk::open(dir).map_err(io)?;
        let shared = Arc::new(Shared {
            log: ManualLog::open(disk, segment_bytes)?,
            queue: Mutex::default(),
            arrived: Condvar::new(),
        });
        let owner = Arc::clone(&shared);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || owner.run());
        Ok(Self { shared, thread: Some(thread.map_err(io)?) })
    }

    /// What the log has done so far.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(self.shared.log.writer().metrics())
    }
}

impl Drop for FileLog {
    /// Commits what is left, seals, and waits for the thread.
    fn drop(&mut self) {
        self.shared.put(|queue| queue.stop = true);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Log for FileLog {
    fn append(&self, batch: Batch, done: Done) {
        self.shared.put(|queue| queue.batches.push((batch, done)));
    }

    fn read(&self, partition: PartitionId, from: Lsn) -> Records<'_> {
        self.shared.log.read(partition, from)
    }

    fn last_lsn(&self, partition: PartitionId) -> Lsn {
        self.shared.log.last_lsn(partition)
    }

    fn trim(&self, partition: PartitionId, upto: Lsn) {
        self.shared.put(|queue| queue.trims.push((partition, upto)));
    }
}

impl Shared {
    fn run(&self) {
        let mut was_shared = false;
        loop {
            let mut queue = self.take();
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
            }
            for (partition, upto) in queue.trims {
                self.log.trim(partition, upto);
            }
            if queue.stop {
                // A failure has been told to whoever waited; there is nobody else to tell.
                let _ = self.log.seal();
                return;
            }
        }
    }

    /// Takes everything there is; waits for something, and seals the log meanwhile if that is long.
    fn take(&self) -> Queue {
        let mut queue = self.lock();
        if queue.is_empty() {
            queue = self
                .arrived
                .wait_timeout_while(queue, SEAL_AFTER, |queue| queue.is_empty())
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if queue.is_empty() {
            drop(queue);
            let _ = self.log.seal(); // As above: the next append tells.
            queue = self
                .arrived
                .wait_while(self.lock(), |queue| queue.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
        }
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
