//! The node's clock: the only place where the time is asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use runtime_core::time::Stamp;

/// Gives stamps that only go forward and are never the same twice on one node.
pub trait Clock: Send + Sync + 'static {
    /// Microseconds since the epoch, never less than before.
    fn now_us(&self) -> u64;

    /// Reserves `count` successive stamps, later than any given before; returns the first.
    fn take(&self, count: u64) -> Stamp;

    /// No stamp at or before this one is given again: what the log already has.
    fn advance_past(&self, stamp: Stamp);
}

/// The wall time at start, carried on by the monotonic clock: a wall clock that is set back or
/// forward while the node runs moves no timer.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    started_us: u64,
    last_us: AtomicU64,
}

impl SystemClock {
    /// A clock that starts now.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_us = u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX);
        Self { started: Instant::now(), started_us, last_us: AtomicU64::new(0) }
    }
}

impl Clock for SystemClock {
    fn now_us(&self) -> u64 {
        let elapsed_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let now_us = self.started_us.saturating_add(elapsed_us);
        now_us.max(self.last_us.load(Ordering::Relaxed))
    }

    fn take(&self, count: u64) -> Stamp {
        let now_us = self.now_us();
        let mut last_us = self.last_us.load(Ordering::Relaxed);
        loop {
            let first_us = now_us.max(last_us + 1);
            let new = first_us + count.saturating_sub(1);
            match self.last_us.compare_exchange_weak(
                last_us,
                new,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Stamp(first_us),
                Err(changed) => last_us = changed,
            }
        }
    }

    fn advance_past(&self, stamp: Stamp) {
        self.last_us.fetch_max(stamp.0, Ordering::Relaxed);
    }
}
