//! Virtual time: moves only when whoever runs the node says so.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime_core::time::Stamp;
use runtime_partition::{Clock, NodeClock, clock::source::TimeSource};

/// The clock of an embedded node: the real one on clocks that are set by hand. It outlives crashes.
#[derive(Debug)]
pub struct VirtualClock {
    machine: Machine,
    node: Mutex<NodeClock<Machine>>,
    /// Whether what the log has already is forgotten at a restart: a sabotage.
    is_forgetful: AtomicBool,
}

/// The computer's clocks, which run on while the node is down.
#[derive(Debug, Clone, Default)]
struct Machine(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    /// Time that has passed.
    boot_us: AtomicU64,
    /// How far the wall clock was set away from it.
    wall_step_us: AtomicI64,
}

/// Where virtual time begins: a date far from both ends.
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
    /// Lets time pass.
    pub fn advance_ms(&self, by_ms: u64) {
        self.machine.0.boot_us.fetch_add(by_ms * 1000, Ordering::Relaxed);
    }

    /// Milliseconds since the epoch, as the node has it.
    pub fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    /// How much time has passed, in milliseconds, whatever any clock was set to.
    pub fn elapsed_ms(&self) -> u64 {
        self.machine.boot_us() / 1000
    }

    /// What the computer's wall clock says, as the SDK reads it.
    pub fn wall_ms(&self) -> u64 {
        self.machine.wall_us() / 1000
    }

    /// Somebody sets the wall clock.
    pub fn step_wall_ms(&self, by_ms: i64) {
        self.machine.0.wall_step_us.fetch_add(by_ms * 1000, Ordering::Relaxed);
    }

    /// The process starts again: it knows nothing of the stamps it has given.
    pub fn restart(&self) {
        *self.node() = NodeClock::on(self.machine.clone());
    }

    /// Whether the wall shows less than the node's clock, since the log had seen more.
    pub fn is_wall_behind(&self) -> bool {
        self.machine.wall_us() < self.now_us()
    }

    /// Leaves [`Clock::advance_past`] out.
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
