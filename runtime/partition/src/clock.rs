//! The node's clock: the only place where the time is read.
//!
//! Reading order: [`discipline`] (what time it is, pure), [`source`] (the system's clocks), and
//! this file (the clock that partitions and edges share).

pub mod discipline;
pub mod source;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};

use arc_swap::ArcSwap;
use runtime_core::time::Stamp;

use discipline::{Course, Difference, Discipline};
use source::{SystemSource, TimeSource};

/// Issues stamps that only increase and are never issued twice on one node.
pub trait Clock: Send + Sync + 'static {
    /// Microseconds since the epoch; never decreases.
    fn now_us(&self) -> u64;

    /// The wall clock, in microseconds since the epoch; it may be set forward and back. Use it for
    /// one thing only: how far away a time is that another machine's clock has named.
    fn wall_us(&self) -> u64;

    /// Reserves `count` consecutive stamps, later than any issued before; returns the first.
    fn take(&self, count: u64) -> Stamp;

    /// Ensures that the clock starts no earlier than at this stamp, the last one in the log, and
    /// runs on from there. For recovery, before the first stamp is taken.
    fn advance_past(&self, stamp: Stamp);
}

/// How often the wall clock is read, in microseconds.
const OBSERVE_INTERVAL_US: u64 = 1_000_000;

/// The clock of a real node: starts at the wall time, advances with the boot clock, and slowly
/// follows the wall clock (see [`discipline`]).
#[derive(Debug)]
pub struct NodeClock<S = SystemSource> {
    source: S,
    discipline: Mutex<Discipline>,
    /// Its current course, readable without the lock.
    course: ArcSwap<Course>,
    /// The latest time that was returned or issued as a stamp.
    last_us: AtomicU64,
}

impl NodeClock {
    /// Starts a clock on the system's clocks.
    pub fn start() -> Self {
        Self::on(SystemSource)
    }
}

impl<S: TimeSource> NodeClock<S> {
    /// Starts a clock on the given clocks.
    pub fn on(source: S) -> Self {
        let discipline = Discipline::new(source.boot_us(), source.wall_us());
        let course = ArcSwap::from_pointee(discipline.course());
        let last_us = AtomicU64::new(0);
        Self { source, discipline: Mutex::new(discipline), course, last_us }
    }

    fn now(&self) -> u64 {
        let boot_us = self.source.boot_us();
        let mut course = **self.course.load();
        if course.age_us(boot_us) >= OBSERVE_INTERVAL_US {
            course = self.observe(boot_us).unwrap_or(course);
        }
        course.now_us(boot_us)
    }

    /// Reads the wall clock, unless another thread is doing so.
    fn observe(&self, boot_us: u64) -> Option<Course> {
        let mut discipline = match self.discipline.try_lock() {
            Ok(discipline) => discipline,
            Err(TryLockError::WouldBlock) => return None,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        if discipline.course().age_us(boot_us) < OBSERVE_INTERVAL_US {
            return Some(discipline.course());
        }
        if let Some(difference) = discipline.observe(boot_us, self.source.wall_us()) {
            warn(difference);
        }
        let course = discipline.course();
        self.course.store(course.into());
        Some(course)
    }
}

fn warn(difference: Difference) {
    let (by_ms, direction) = match difference {
        Difference::Ahead { by_us } => (by_us / 1000, "ahead of"),
        Difference::Behind { by_us } => (by_us / 1000, "behind"),
    };
    tracing::warn!(
        "the system's clock is {}.{:03} s {direction} the node's clock, which follows it by at most \
         1 ms per second and does not jump: sleeps and delays keep their length",
        by_ms / 1000,
        by_ms % 1000,
    );
}

impl<S: TimeSource> Clock for NodeClock<S> {
    fn now_us(&self) -> u64 {
        let now_us = self.now();
        // Two threads may read the clock on either side of a change of course.
        now_us.max(self.last_us.fetch_max(now_us, Ordering::Relaxed))
    }

    fn wall_us(&self) -> u64 {
        self.source.wall_us()
    }

    fn take(&self, count: u64) -> Stamp {
        assert!(
            count > 0,
            "no stamps are requested: the stamp returned would belong to another record"
        );
        let now_us = self.now();
        let mut last_us = self.last_us.load(Ordering::Relaxed);
        loop {
            let first_us = now_us.max(last_us + 1);
            let new = first_us + count - 1;
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
        let mut discipline = self.discipline.lock().unwrap_or_else(PoisonError::into_inner);
        discipline.advance(self.source.boot_us(), stamp.0);
        self.course.store(discipline.course().into());
        self.last_us.fetch_max(stamp.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
