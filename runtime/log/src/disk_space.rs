//! Disk space is allocated before it is used, so a full disk is detected before anything depends on
//! a write that did not fit.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How a log uses its disk, and who owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Owner of the log; a log with another owner is refused.
    pub owner: Owner,
    /// Size in bytes at which a segment is closed and the next one is started.
    pub segment_bytes: u64,
    /// Allocated space that the log keeps after its end, in bytes. A log that has less and cannot
    /// allocate more is short of space: only work that the reserve is meant for is appended then.
    pub reserve_bytes: u64,
    /// Bytes to allocate at a time beyond the reserve.
    pub step_bytes: u64,
}

impl Default for LogOptions {
    /// No owner, segments of 64 MiB, a reserve of [`RESERVE_BYTES`] and steps of [`STEP_BYTES`].
    fn default() -> Self {
        Self {
            owner: Owner::default(),
            segment_bytes: 64 << 20,
            reserve_bytes: RESERVE_BYTES,
            step_bytes: STEP_BYTES,
        }
    }
}

/// Owner of a log. The records of another log may fit by their numbers alone, and would be taken
/// for this one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    /// Fingerprint of the data directory; 0 if it has none.
    pub directory: u128,
    /// Number of partitions in the data directory.
    pub partitions: u16,
}

impl From<u64> for LogOptions {
    /// Segments of this many bytes; defaults for the rest.
    fn from(segment_bytes: u64) -> Self {
        Self { segment_bytes, ..Self::default() }
    }
}

impl LogOptions {
    /// The part of the reserve that records may not use. It lets a full log start another segment,
    /// so that segments that are no longer needed can be removed to free space.
    pub(crate) fn closing_bytes(&self) -> u64 {
        self.reserve_bytes / 8
    }
}

/// Default reserve, in bytes. It holds what partitions have already applied when the disk turns out
/// to be full, and after that the work that frees space: purges, deletes, admin API requests.
pub const RESERVE_BYTES: u64 = 8 << 20;

/// Default step, in bytes: one system call per few thousand commits.
pub const STEP_BYTES: u64 = 4 << 20;

/// State that other threads read while the log is busy.
#[derive(Debug, Default)]
pub(crate) struct Status {
    is_short: AtomicBool,
    room_bytes: AtomicU64,
}

impl Status {
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    pub(crate) fn room_bytes(&self) -> u64 {
        self.room_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, is_short: bool, room_bytes: u64) {
        self.is_short.store(is_short, Ordering::Relaxed);
        self.room_bytes.store(room_bytes, Ordering::Relaxed);
    }
}

/// Why something was not written.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The disk is full. Nothing has taken effect, and the operation can be retried.
    Full,
    /// A disk operation failed: the state of the disk is unknown.
    Failed(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let is_full =
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if is_full { Self::Full } else { Self::Failed(error) }
    }
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Full => io::ErrorKind::StorageFull.into(),
            Trouble::Failed(error) => error,
        }
    }
}
