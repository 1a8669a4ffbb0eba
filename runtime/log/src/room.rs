//! Room on the disk is allocated before it is used, so a full disk is met before anything depends on
//! what could not be written.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How a log uses its disk, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whose log it is: that of anybody else is refused.
    pub owner: Owner,
    /// A segment that has this many bytes is closed, and the next one begun.
    pub segment_bytes: u64,
    /// Allocated room that the log has behind its end, in bytes. When it has less and cannot allocate
    /// more, it is short: what is appended then is what the reserve is for.
    pub reserve_bytes: u64,
    /// Bytes that are allocated at a time beyond the reserve.
    pub step_bytes: u64,
}

impl Default for Options {
    /// Nobody's log in segments of 64 MiB, with a reserve of [`RESERVE_BYTES`] and steps of
    /// [`STEP_BYTES`].
    fn default() -> Self {
        Self {
            owner: Owner::default(),
            segment_bytes: 64 << 20,
            reserve_bytes: RESERVE_BYTES,
            step_bytes: STEP_BYTES,
        }
    }
}

/// Whose log it is. Records of another one fit by their numbers alone, and would be taken for one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    /// Fingerprint of the data directory; 0 for one that has none.
    pub directory: u128,
    /// How many partitions it has.
    pub partitions: u16,
}

impl From<u64> for Options {
    /// Segments of so many bytes; the rest as by default.
    fn from(segment_bytes: u64) -> Self {
        Self { segment_bytes, ..Self::default() }
    }
}

impl Options {
    /// The part of the reserve that no record takes: with it a full log can still begin another segment,
    /// so that those that nobody needs make room.
    pub(crate) fn closing_bytes(&self) -> u64 {
        self.reserve_bytes / 8
    }
}

/// The reserve unless the options say otherwise: what partitions have applied when the disk is found
/// full, and after that what makes room: purges, deletes, requests to the admin API.
pub const RESERVE_BYTES: u64 = 8 << 20;

/// The step unless the options say otherwise: one call of the kernel for some thousand commits.
pub const STEP_BYTES: u64 = 4 << 20;

/// What others want to know while the log is busy.
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
    /// There is no room. Nothing has happened, and it can be tried again.
    Full,
    /// The disk refused: what is on it now is not known.
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
