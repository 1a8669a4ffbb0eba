//! Virtual time: it advances only when the caller says so.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime_core::time::Stamp;
use runtime_partition::{Clock, NodeClock, clock::source::TimeSource};

/// The clock of an embedded node: a real [`NodeClock`] on clocks that are set by hand. It outlives
/// crashes.
#[derive(Debug)]
pub struct VirtualClock {
    machine: Machine,
    node: Mutex<NodeClock<Machine>>,
    /// Sabotage: after a restart, ignore the stamps that are already in the log.
    is_forgetful: AtomicBool,
}

/// The machine's clocks, which keep running while the node is down.
#[derive(Debug, Clone, Default)]
struct Machine(Arc<MachineTime>);

#[derive(Debug, Default)]
struct MachineTime {
    /// Time that has passed, in microseconds.
    boot_us: AtomicU64,
    /// How far the wall clock has been stepped away from that, in microseconds.
    wall_step_us: AtomicI64,
}

/// Where virtual time starts: a date far from both ends of the range.
const START_US: u64 = 1_700_000_000_000_000;

impl TimeSource for Machine {
    fn boot_us(&self) -> u64 {
        self.0.boot_us.load(Ordering::Relaxed)
    }

    fn wall_us(&self) -> u64 {
        let step_us = self.0.wall_step_us.load(Ordering::Relaxed);
        (START_US + self.boot_us()).saturating_add_signed(step_us)
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        let machine = Machine::default();
        let node = Mutex::new(NodeClock::on(machine.clone()));
        Self { machine, node, is_forgetful: AtomicBool::new(false) }
    }
}

impl VirtualClock {
    /// Advances time by `by_ms` milliseconds.
    pub fn advance_ms(&self, by_ms: u64) {
        self.machine.0.boot_us.fetch_add(by_ms * 1000, Ordering::Relaxed);
    }

    /// Milliseconds since the epoch, as the node's clock shows them.
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    /// How much time has passed, in milliseconds, no matter how any clock was set.
    pub fn elapsed_ms(&self) -> u64 {
        self.machine.boot_us() / 1000
    }

    /// The machine's wall clock in milliseconds since the epoch, as the SDK reads it.
    pub fn wall_ms(&self) -> u64 {
        self.machine.wall_us() / 1000
    }

    /// Steps the wall clock forward or, if `by_ms` is negative, back.
    pub fn step_wall_ms(&self, by_ms: i64) {
        self.machine.0.wall_step_us.fetch_add(by_ms * 1000, Ordering::Relaxed);
    }

    /// Restarts the process: its clock forgets the stamps it has issued.
    pub fn restart(&self) {
        *self.node() = NodeClock::on(self.machine.clone());
    }

    /// Whether the wall clock is behind the node's clock, because the log had later stamps.
    pub fn is_wall_behind(&self) -> bool {
        self.machine.wall_us() < self.now_us()
    }

    /// Disables [`Clock::advance_past`] from now on.
    pub fn forget_stamps(&self) {
        self.is_forgetful.store(true, Ordering::Relaxed);
    }

    fn node(&self) -> MutexGuard<'_, NodeClock<Machine>> {
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now_us(&self) -> u64 {
        self.node().now_us()
    }

    fn wall_us(&self) -> u64 {
        self.machine.wall_us()
    }

    fn take(&self, count: u64) -> Stamp {
        self.node().take(count)
    }

    fn advance_past(&self, stamp: Stamp) {
        if !self.is_forgetful.load(Ordering::Relaxed) {
            self.node().advance_past(stamp);
        }
    }
}
