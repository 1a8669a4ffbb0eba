//! Virtual time: moves only when the world says so.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use runtime_core::time::Stamp;
use runtime_partition::Clock;

/// The clock of a simulated node; it outlives crashes.
#[derive(Debug)]
pub struct SimClock {
    now_us: AtomicU64,
    last_us: AtomicU64,
    /// How far the computer's wall clock has stepped away from the time that has passed.
    wall_step_us: AtomicI64,
    /// Whether what the log has already is forgotten at a restart: a sabotage.
    is_forgetful: AtomicBool,
}

/// Where simulated time begins: a date far from both ends.
const START_US: u64 = 1_700_000_000_000_000;

impl Default for SimClock {
    fn default() -> Self {
        Self {
            now_us: AtomicU64::new(START_US),
            last_us: AtomicU64::new(0),
            wall_step_us: AtomicI64::new(0),
            is_forgetful: AtomicBool::new(false),
        }
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

    /// What the computer's wall clock says, as the SDK reads it.
    pub fn wall_ms(&self) -> u64 {
        let step_ms = self.wall_step_us.load(Ordering::Relaxed) / 1000;
        self.now_ms().saturating_add_signed(step_ms)
    }

    /// Somebody sets the wall clock.
    pub fn step_wall_ms(&self, by_ms: i64) {
        self.wall_step_us.fetch_add(by_ms * 1000, Ordering::Relaxed);
    }

    /// The process starts again: it knows nothing of the stamps it has given, and its clock may have
    /// been set back.
    pub fn restart(&self, back_ms: u64) {
        let now_us = self.now_us.load(Ordering::Relaxed);
        self.now_us.store(now_us.saturating_sub(back_ms * 1000).max(START_US), Ordering::Relaxed);
        self.last_us.store(0, Ordering::Relaxed);
    }

    /// Whether time has not reached yet what the log says.
    pub fn is_behind(&self) -> bool {
        self.now_us.load(Ordering::Relaxed) < self.last_us.load(Ordering::Relaxed)
    }

    /// Leaves [`Clock::advance_past`] out.
    pub fn forget_stamps(&self) {
        self.is_forgetful.store(true, Ordering::Relaxed);
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
        if !self.is_forgetful.load(Ordering::Relaxed) {
            self.last_us.fetch_max(stamp.0, Ordering::Relaxed);
        }
    }
}
