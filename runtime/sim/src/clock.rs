//! Virtual time: moves only when the world says so.

use std::sync::atomic::{AtomicU64, Ordering};

use runtime_core::time::Stamp;
use runtime_partition::Clock;

/// The clock of a simulated node; it outlives crashes.
#[derive(Debug)]
pub struct SimClock {
    now_us: AtomicU64,
    last_us: AtomicU64,
}

/// Where simulated time begins: a date far from both ends.
const START_US: u64 = 1_700_000_000_000_000;

impl Default for SimClock {
    fn default() -> Self {
        Self { now_us: AtomicU64::new(START_US), last_us: AtomicU64::new(0) }
    }
}

impl SimClock {
    /// Lets time pass.
    pub fn advance_ms(&self, by_ms: u64) {
        self.now_us.fetch_add(by_ms * 1000, Ordering::Relaxed);
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }
}

impl Clock for SimClock {
    fn now_us(&self) -> u64 {
        self.now_us.load(Ordering::Relaxed).max(self.last_us.load(Ordering::Relaxed))
    }

    fn wall_us(&self) -> u64 {
        self.now_us.load(Ordering::Relaxed)
    }

    fn take(&self, count: u64) -> Stamp {
        let first = self.now_us().max(self.last_us.load(Ordering::Relaxed) + 1);
        self.last_us.store(first + count.saturating_sub(1), Ordering::Relaxed);
        Stamp(first)
    }

    fn advance_past(&self, stamp: Stamp) {
        self.last_us.fetch_max(stamp.0, Ordering::Relaxed);
    }
}
