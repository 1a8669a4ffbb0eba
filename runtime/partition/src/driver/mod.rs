//! The turn: take everything that is ready, apply it in memory, hand it to the log, and release its
//! effects once it is durable.
//!
//! A turn waits for nothing but input. The OS thread of a partition is only a loop around it, and
//! the simulator calls it from a loop of its own.
//!
//! Reading order: this file (the turn), `recover` (how a driver is created), `due` (timers and
//! removals), `apply` (events to records, records to the log), `read`, `refused_starts` (attempts that got no
//! permit), `resend`, `checkpoint`, `health`, `close` (shutdown).

mod apply;
mod checkpoint;
mod close;
mod due;
mod health;
mod read;
mod recover;
mod refused_starts;
mod resend;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use runtime_core::{
    Lsn, Partition, PartitionId,
    event::Event,
    tables::{Key, Overlay, Tables},
    time::Timestamp,
};
use runtime_log::Log;
use runtime_store::{Base, DiskSpace, Store};
use tokio::sync::oneshot;

use crate::{
    checkpoint::{Checkpoints, Schedule},
    clock::Clock,
    dispatch::Dispatch,
    durable::Durable,
    inbox::Inbox,
    lanes::{Arrivals, Bounds, Intake},
    observer::Observer,
};

pub(crate) use recover::{Folded, Surroundings};
use refused_starts::RefusedStarts;

/// While the disk is nearly full, a partition checks this often whether there is space again.
const ROOM_CHECK_MS: u64 = 100;

/// Limits of a partition's work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Records per turn. More make larger batches and longer turns.
    pub batch_records_max: usize,
    /// Bytes of those records, each counted with 8 KiB in addition to its payload. A turn always
    /// takes at least one event, so a batch has at most this many bytes or one event of any size.
    pub batch_bytes_max: usize,
    /// Timers that fire per turn.
    pub timers_max: usize,
    /// Finished invocations that are removed per turn.
    pub expiries_max: u32,
    /// Refused attempts that are offered again per turn.
    pub starts_max: usize,
    /// Estimated bytes that finished invocations may take up.
    pub retention_budget_bytes: u64,
    /// How long after the last checkpoint the next one is due; five times this for a small overlay.
    pub checkpoint_interval: Duration,
    /// Overlay size in bytes at which a checkpoint is due. While one is being written, large events
    /// wait from this size on, and all events from edges once small ones have added twice as much.
    pub overlay_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_records_max: 4096,
            batch_bytes_max: 32 << 20,
            timers_max: 1024,
            expiries_max: 256,
            starts_max: 256,
            retention_budget_bytes: 4 << 30,
            checkpoint_interval: Duration::from_secs(1),
            overlay_bytes_max: 16 << 20,
        }
    }
}

/// What a turn did, for the caller of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Something was done.
    Worked {
        /// When there is more to do even if nothing arrives; may be in the past.
        until: Option<Timestamp>,
    },
    /// There was nothing to do.
    Idle {
        /// When there is something to do even if nothing arrives.
        until: Option<Timestamp>,
    },
    /// The node was asked to stop.
    Stopped,
    /// The log or the tables cannot be written.
    Failed,
}

/// Runs one partition.
pub struct Driver {
    pub(crate) partition: Partition,
    settings: Settings,
    live: Overlay,
    pub(crate) store: Store,
    /// Disk space of the stores of the whole node.
    disk_space: DiskSpace,
    log: Arc<dyn Log>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) dispatch: Arc<Dispatch>,
    checkpoints: Arc<dyn Checkpoints>,
    schedule: Schedule,
    applied: Lsn,
    /// How far the applied records are on disk.
    durable: Arc<Durable>,
    /// No timer row is due before this time; `None` if there are no timers.
    next_timer: Option<Timestamp>,
    /// The same for finished invocations.
    next_expiry: Option<Timestamp>,
    /// Attempts that the invoker had no capacity for, and those found running at start, oldest
    /// first.
    refused_starts: RefusedStarts,
    /// Partitions to which messages are being resent, and the row after which that continues.
    resending: BTreeMap<PartitionId, Option<Key>>,
    /// Readers that wait for rows to hold.
    holders: Vec<oneshot::Sender<Base>>,
    observer: Option<Arc<dyn Observer>>,
    /// Whether promised retention takes up more than its budget, as of the last turn.
    is_overpromised: bool,
    /// Since when edges have waited for a checkpoint.
    held_since_us: Option<u64>,
}

impl Driver {
    /// Does everything that can be done now; waits at most `patience` for work.
    pub fn turn(&mut self, patience: Duration) -> Turn {
        let intake = self.intake();
        let bounds = Bounds {
            intake,
            events_max: self.settings.batch_records_max,
            bytes_max: self.settings.batch_bytes_max,
            log_bytes_max: self.log_bytes_max(),
        };
        let Arrivals { notices, mut events, reads, disk_full, .. } =
            self.inbox.take(patience, bounds);
        self.answer_pings(notices.pings);
        if notices.log_failed || notices.checkpoint.is_some_and(|done| !self.install(done)) {
            return Turn::Failed;
        }
        assert!(
            disk_full.is_empty() || intake == Intake::Reserve,
            "partition {}: {} events are refused for lack of disk space, but the turn takes {intake:?}",
            self.partition.id.0,
            disk_full.len()
        );
        disk_full.iter().for_each(|event| self.dispatch.refuse(event));
        let acknowledged = notices.acknowledged.into_iter();
        events.extend(
            acknowledged.map(|(by, sequence)| Event::MessagesAcknowledged { by, sequence }),
        );
        let now = Timestamp(self.clock.now_us() / 1000);
        self.add_due(now, intake, &mut events);
        let has_events = !events.is_empty();
        self.apply(events);
        self.look(reads);
        self.refused_starts.note(notices.refused, notices.wanted);
        let offered = self.offer_refused_starts() | self.resend(notices.resend);
        self.maybe_checkpoint();
        if notices.stop {
            return Turn::Stopped;
        }
        let until = self.next_wake_up(now, intake);
        if has_events || offered { Turn::Worked { until } } else { Turn::Idle { until } }
    }

    /// This partition's part of the space that the log is certain to have. Each partition may have
    /// two batches on their way, and none of them may have to wait for space: a full disk has to be
    /// detected before anything is applied that needs more of it.
    fn log_bytes_max(&self) -> usize {
        let part = self.log.room_bytes() / (2 * u64::from(self.partition.count));
        usize::try_from(part).unwrap_or(usize::MAX)
    }

    /// Which events this turn may take.
    fn intake(&mut self) -> Intake {
        let is_nearly_full = self.log.is_short() || self.disk_space.is_short();
        self.inbox.set_disk_full(is_nearly_full);
        self.inbox.let_in(self.schedule.payload_bytes_max(self.unwritten_bytes()));
        let is_overloaded = self.is_holding();
        let held_since_us = self.held_since_us.filter(|_| is_overloaded);
        self.held_since_us = held_since_us.or_else(|| is_overloaded.then(|| self.clock.now_us()));
        if is_nearly_full {
            Intake::Reserve
        } else if is_overloaded {
            Intake::Hold
        } else {
            Intake::All
        }
    }

    /// LSN of the last record applied.
    pub fn applied(&self) -> Lsn {
        self.applied
    }

    /// Reads the rows as of the last record, durable or not; for the simulator's checks.
    pub fn tables<T>(&mut self, look: impl FnOnce(&Tables<'_>) -> T) -> T {
        look(&Tables::new(&mut self.live, self.store.base()))
    }

    /// Estimate of what has changed since the last checkpoint started, in bytes of memory.
    fn unwritten_bytes(&self) -> usize {
        self.live.size_bytes() + self.store.unwritten_bytes()
    }

    /// Whether edges wait for a checkpoint.
    pub(crate) fn is_holding(&self) -> bool {
        self.schedule.is_overloaded(self.unwritten_bytes())
    }

    fn next_wake_up(&self, now: Timestamp, intake: Intake) -> Option<Timestamp> {
        if self.refused_starts.may_start() || !self.resending.is_empty() {
            return Some(Timestamp(0)); // There is more to offer or resend.
        }
        let checkpoint = self.schedule.next(self.unwritten_bytes());
        if intake == Intake::Reserve {
            // Timers wait, and there is no notification when there is space again.
            return checkpoint.into_iter().chain([now.after_ms(ROOM_CHECK_MS)]).min();
        }
        [self.next_timer, self.next_expiry, checkpoint].into_iter().flatten().min()
    }
}

pub(crate) fn log_id(partition: PartitionId) -> runtime_log::PartitionId {
    runtime_log::PartitionId(partition.0)
}
