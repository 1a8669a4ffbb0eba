//! A storage backend that waits for disk space instead of failing.
//!
//! redb remembers every error of its backend and then refuses all further operations, including
//! reads. A full disk does not justify that, because it is temporary. So while a checkpoint is
//! being written, pages that do not fit are kept in memory and written once there is space; the
//! sync that makes the checkpoint durable waits for that. Readers never wait: redb writes pages
//! while it holds locks that readers need, but holds none while it syncs.
//!
//! A failed sync is never retried: the kernel may have dropped what it could not write, and reports
//! that only once.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use redb::{BackendError, StorageBackend};

/// Interval between retries on a full disk: short enough for a person who has just freed space.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// Bytes of pages that may be kept in memory; beyond that the write itself waits, and may block
/// readers. A checkpoint of the default size is smaller.
const KEPT_BYTES_MAX: usize = 256 << 20;

thread_local! {
    /// Whether this thread is writing a checkpoint and may wait. Opening and closing may not.
    static IS_PATIENT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `write` with permission to wait for disk space.
pub(crate) fn patiently<T>(write: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_PATIENT.set(self.0);
        }
    }
    let _restore = Restore(IS_PATIENT.replace(true));
    write()
}

/// The state of a medium, shared with its store.
#[derive(Debug)]
pub(crate) struct Condition {
    pause: Duration,
    is_waiting: AtomicBool,
    is_stopping: Mutex<bool>,
    stopped: Condvar,
    /// Length of the medium, in bytes.
    len: AtomicU64,
    /// The first error that waiting cannot resolve.
    failure: OnceLock<String>,
}

impl Condition {
    pub(crate) fn new(pause: Duration) -> Arc<Self> {
        Arc::new(Self {
            pause,
            is_waiting: AtomicBool::new(false),
            is_stopping: Mutex::default(),
            stopped: Condvar::new(),
            len: AtomicU64::new(0),
            failure: OnceLock::new(),
        })
    }

    /// Whether a checkpoint is waiting for disk space.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::SeqCst)
    }

    /// Length of the medium, in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// Makes all current and future waits fail.
    pub(crate) fn stop(&self) {
        *lock(&self.is_stopping) = true;
        self.stopped.notify_all();
    }

    /// Describes a redb error together with the medium's error that caused it.
    pub(crate) fn explain(&self, error: &dyn fmt::Display) -> String {
        match self.failure.get() {
            Some(failure) => format!("{failure} ({error})"),
            None => error.to_string(),
        }
    }

    /// Waits for one retry interval.
    fn wait(&self, error: &io::Error) -> io::Result<()> {
        if !self.is_waiting.swap(true, Ordering::SeqCst) {
            tracing::warn!(
                "the tables cannot be written: {error}; the checkpoint waits until there is disk space"
            );
        }
        let is_stopping = self
            .stopped
            .wait_timeout_while(lock(&self.is_stopping), self.pause, |stopping| !*stopping)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        if *is_stopping {
            return Err(io::Error::other(
                "the node stopped while the tables waited for disk space",
            ));
        }
        Ok(())
    }

    fn has_room(&self) {
        if self.is_waiting.swap(false, Ordering::SeqCst) {
            tracing::info!("there is disk space for the tables again");
        }
    }

    fn note<T>(&self, what: impl FnOnce() -> String, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let _ = self.failure.set(format!("{}: {error}", what())); // The first error is the cause.
        }
        result
    }
}

/// Pages that did not fit on the disk, in write order.
#[derive(Debug, Default)]
struct Kept {
    pages: VecDeque<(u64, Arc<[u8]>)>,
    bytes: usize,
}

/// Wraps a medium and waits for disk space on its behalf.
#[derive(Debug)]
pub(crate) struct PatientBackend<B> {
    medium: B,
    condition: Arc<Condition>,
    kept: Mutex<Kept>,
    has_kept: AtomicBool,
}

/// Whether freeing disk space would resolve the error.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl<B: StorageBackend> PatientBackend<B> {
    pub(crate) fn new(medium: B, condition: Arc<Condition>) -> io::Result<Self> {
        condition.len.store(medium.len()?, Ordering::Relaxed);
        Ok(Self { medium, condition, kept: Mutex::default(), has_kept: AtomicBool::new(false) })
    }

    /// Retries `act` until there is space for it, if this thread may wait.
    fn until_room<T>(
        &self,
        what: impl Fn() -> String,
        mut act: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match act() {
                Err(error) if is_full(&error) && IS_PATIENT.get() => self.condition.wait(&error)?,
                Err(error) if is_full(&error) => return Err(error),
                result => return self.condition.note(what, result),
            }
        }
    }

    fn keep(&self, offset: u64, data: &[u8]) {
        let mut kept = lock(&self.kept);
        kept.bytes += data.len();
        kept.pages.push_back((offset, data.into()));
        self.has_kept.store(true, Ordering::SeqCst);
    }

    /// Writes the pages that were kept.
    fn write_kept(&self) -> io::Result<()> {
        while let Some((offset, data)) = self.oldest_kept() {
            self.until_room(|| writing(offset, data.len()), || self.medium.write(offset, &data))?;
            let mut kept = lock(&self.kept);
            kept.pages.pop_front();
            kept.bytes -= data.len();
            if kept.pages.is_empty() {
                self.has_kept.store(false, Ordering::SeqCst);
            }
        }
        self.condition.has_room();
        Ok(())
    }

    fn oldest_kept(&self) -> Option<(u64, Arc<[u8]>)> {
        let kept = lock(&self.kept);
        kept.pages.front().map(|(offset, data)| (*offset, Arc::clone(data)))
    }
}

fn writing(offset: u64, bytes: usize) -> String {
    format!("writing {bytes} bytes at {offset}")
}

impl<B: StorageBackend> StorageBackend for PatientBackend<B> {
    fn len(&self) -> io::Result<u64> {
        self.condition.note(|| "querying the length".to_owned(), self.medium.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = out.len();
        let what = || format!("reading {bytes} bytes at {offset}");
        if !self.has_kept.load(Ordering::SeqCst) {
            return self.condition.note(what, self.medium.read(offset, out));
        }
        // Keep the lock, so that no page moves to the medium in the meantime.
        let kept = lock(&self.kept);
        self.condition.note(what, self.medium.read(offset, out))?;
        for (at, data) in &kept.pages {
            overlay(offset, out, *at, data);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write_kept()?;
        self.until_room(|| format!("setting the length to {len}"), || self.medium.set_len(len))?;
        self.condition.len.store(len, Ordering::Relaxed);
        self.condition.has_room();
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.write_kept()?;
        self.condition.note(|| "syncing".to_owned(), self.medium.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if !self.has_kept.load(Ordering::SeqCst) {
            match self.medium.write(offset, data) {
                Err(error) if is_full(&error) && IS_PATIENT.get() => (),
                Err(error) if is_full(&error) => return Err(error),
                result => return self.condition.note(|| writing(offset, data.len()), result),
            }
        }
        self.keep(offset, data);
        if IS_PATIENT.get() && lock(&self.kept).bytes > KEPT_BYTES_MAX {
            self.write_kept()?;
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.medium.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.medium.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.medium.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.medium.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.medium.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.medium.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.medium.query_lock_range(start, end)
    }
}

/// Copies the part of `data` (at offset `at`) that overlaps `out` (at `offset`) into `out`.
fn overlay(offset: u64, out: &mut [u8], at: u64, data: &[u8]) {
    let from = offset.max(at);
    let until = (offset + out.len() as u64).min(at + data.len() as u64);
    let index = |position: u64, base: u64| usize::try_from(position - base);
    if from < until
        && let (Ok(out_from), Ok(out_until)) = (index(from, offset), index(until, offset))
        && let (Ok(data_from), Ok(data_until)) = (index(from, at), index(until, at))
    {
        out[out_from..out_until].copy_from_slice(&data[data_from..data_until]);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
