//! What waits to be sent to an attempt, and counts until it is.

use std::fmt;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use runtime_partition::budget::Pool;

use crate::supervisor::Invoker;

/// How many bytes of small entries may wait for an attempt whose endpoint does not read them.
const SMALL_ENTRIES_BYTES_MAX: usize = 64 << 10;

/// An entry that has not been sent to its attempt yet, as it counts until it is.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Against what may wait for the attempt.
    Small { of_attempt: Arc<AtomicUsize>, bytes: usize },
    /// Against the budget.
    Large { _load: Load },
}

impl Unsent {
    /// Counts a small entry; `None` if too much waits already.
    pub(crate) fn small(of_attempt: &Arc<AtomicUsize>, bytes: usize) -> Option<Self> {
        // Only the partition's log callback adds, and one entry more or less does not matter.
        if of_attempt.load(Ordering::Relaxed) + bytes > SMALL_ENTRIES_BYTES_MAX {
            return None;
        }
        of_attempt.fetch_add(bytes, Ordering::Relaxed);
        Some(Self::Small { of_attempt: Arc::clone(of_attempt), bytes })
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        if let Self::Small { of_attempt, bytes } = self {
            of_attempt.fetch_sub(*bytes, Ordering::Relaxed);
        }
    }
}

/// Bytes waiting to be sent to an attempt, released as they are sent.
pub(crate) struct Load {
    invoker: Arc<Invoker>,
    pool: Pool,
    left: usize,
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").field("pool", &self.pool).field("left", &self.left).finish()
    }
}

impl Load {
    /// Bytes that have been taken from the budget.
    pub(crate) fn of(invoker: &Arc<Invoker>, pool: Pool, bytes: usize) -> Self {
        Self { invoker: Arc::clone(invoker), pool, left: bytes }
    }

    /// Takes the part of `bytes` that are handed over, to be released once they are written.
    pub(crate) fn take(&mut self, bytes: usize) -> Self {
        let taken = bytes.min(self.left);
        self.left -= taken;
        Self::of(&self.invoker, self.pool, taken)
    }

    /// Releases `bytes` that were handed to the connection.
    pub(crate) fn sent(&mut self, bytes: usize) {
        let bytes = bytes.min(self.left);
        if bytes > 0 {
            self.left -= bytes;
            self.invoker.announce(self.invoker.limiter.sent(self.pool, bytes));
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.sent(self.left);
    }
}
