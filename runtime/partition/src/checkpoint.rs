//! When a checkpoint is due, and which thread writes it.

use std::sync::mpsc;
use std::thread;

use runtime_core::time::Timestamp;
use runtime_store::{Checkpoint, CheckpointDone};

use crate::{Settings, lanes::EVENT_BYTES};

/// Called with the outcome once a checkpoint has been written.
pub type OnDone = Box<dyn FnOnce(CheckpointDone) + Send>;

/// Writes checkpoints off the partitions' threads.
pub trait Checkpoints: Send + Sync + 'static {
    /// Starts writing a checkpoint; must not wait for it.
    fn run(&self, job: Checkpoint, done: OnDone);
}

/// One thread that writes the checkpoints of all partitions, one after the other.
pub struct CheckpointThread(mpsc::Sender<(Checkpoint, OnDone)>);

impl CheckpointThread {
    /// Starts the thread. It ends when the node's last partition does.
    ///
    /// # Errors
    /// Returns an error if the system cannot start a thread.
    pub fn spawn() -> std::io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<(Checkpoint, OnDone)>();
        thread::Builder::new().name("checkpoint".to_owned()).spawn(move || {
            for (job, done) in jobs {
                done(job.run());
            }
        })?;
        Ok(Self(sender))
    }
}

impl Checkpoints for CheckpointThread {
    fn run(&self, job: Checkpoint, done: OnDone) {
        let sent = self.0.send((job, done));
        assert!(sent.is_ok(), "the checkpoint thread has ended while its sender is alive");
    }
}

/// An overlay below its limit divided by this may wait longer: a checkpoint costs its syncs,
/// however little it writes, and a small overlay is quick to fold.
const SMALL: usize = 4;

/// While a checkpoint is being written and the overlay is over its limit, a payload must leave
/// memory for this many of its size.
const PAYLOADS: usize = 64;

/// How many times its limit the overlay may take while a checkpoint is being written, whatever it
/// consists of: a body and a result of the largest size, and small events besides.
const ALL_LIMITS: usize = 6;

/// The same for what small events have added.
const SMALL_LIMITS: usize = 2;

/// How many intervals a small overlay may wait.
const PATIENT_INTERVALS: u64 = 5;

/// When the next checkpoint is due.
#[derive(Debug)]
pub(crate) struct Schedule {
    interval_us: u64,
    overlay_bytes_max: usize,
    small_bytes_max: usize,
    last_us: u64,
    is_running: bool,
    /// Bytes that large events have added to the overlay since the last checkpoint began.
    large_bytes: usize,
}

impl Schedule {
    pub(crate) fn new(settings: &Settings, now_us: u64) -> Self {
        let interval_us = settings.checkpoint_interval.as_micros();
        Self {
            interval_us: u64::try_from(interval_us).unwrap_or(u64::MAX),
            overlay_bytes_max: settings.overlay_bytes_max,
            small_bytes_max: settings.small_bytes_max,
            last_us: now_us,
            is_running: false,
            large_bytes: 0,
        }
    }

    /// Whether a checkpoint is due, by time or by size.
    pub(crate) fn is_due(&self, now_us: u64, overlay_bytes: usize) -> bool {
        let is_time = now_us >= self.due_us(overlay_bytes);
        !self.is_running && (is_time || overlay_bytes >= self.overlay_bytes_max)
    }

    /// Largest payload that is admitted: while a checkpoint is being written, each must leave
    /// memory for many of its size. Small events are admitted for longer
    /// ([`Schedule::is_overloaded`]).
    pub(crate) fn payload_bytes_max(&self, overlay_bytes: usize) -> usize {
        if !self.is_running || overlay_bytes < self.overlay_bytes_max {
            return usize::MAX;
        }
        let left =
            self.overlay_bytes_max.saturating_mul(SMALL_LIMITS).saturating_sub(overlay_bytes);
        // In steps, so that waiting edges are not woken for every event that is admitted.
        let shared = (left / PAYLOADS).checked_ilog2().map_or(0, |log| 1 << log);
        shared.max(self.small_bytes_max)
    }

    /// Records that an event with this payload has added this much to the overlay. A small event
    /// may add much, such as the result of an invocation that ends: only what its own payload and
    /// rows can take counts as small.
    pub(crate) fn applied(&mut self, payload_bytes: usize, added_bytes: usize) {
        let is_small = payload_bytes <= self.small_bytes_max;
        let small_bytes = if is_small { payload_bytes + EVENT_BYTES } else { 0 };
        self.large_bytes += added_bytes.saturating_sub(small_bytes);
    }

    /// Whether edges have to wait until the checkpoint is written. What large events have added to
    /// the overlay doesn't count at first: a few of them keep each other out, but not the small
    /// ones. Beyond [`ALL_LIMITS`] times the limit nothing is let in.
    pub(crate) fn is_overloaded(&self, overlay_bytes: usize) -> bool {
        let small_bytes = overlay_bytes.saturating_sub(self.large_bytes);
        let limit = |times| self.overlay_bytes_max.saturating_mul(times);
        self.is_running
            && (small_bytes >= limit(SMALL_LIMITS) || overlay_bytes >= limit(ALL_LIMITS))
    }

    /// When to check again.
    pub(crate) fn next(&self, overlay_bytes: usize) -> Option<Timestamp> {
        let is_nothing_changed = overlay_bytes == 0;
        let due_ms = self.due_us(overlay_bytes).div_ceil(1000);
        (!self.is_running && !is_nothing_changed).then_some(Timestamp(due_ms))
    }

    fn due_us(&self, overlay_bytes: usize) -> u64 {
        let is_small = overlay_bytes < self.overlay_bytes_max / SMALL;
        let intervals = if is_small { PATIENT_INTERVALS } else { 1 };
        self.last_us.saturating_add(self.interval_us.saturating_mul(intervals))
    }

    pub(crate) fn is_running(&self) -> bool {
        self.is_running
    }

    pub(crate) fn started(&mut self) {
        assert!(
            !self.is_running,
            "a checkpoint starts while another is being written; the last one ended at {} us",
            self.last_us
        );
        self.is_running = true;
        self.large_bytes = 0;
    }

    pub(crate) fn finished(&mut self, now_us: u64) {
        assert!(self.is_running, "a checkpoint ends at {now_us} us, but none was started");
        self.is_running = false;
        self.last_us = now_us;
    }
}
