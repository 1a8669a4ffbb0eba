//! The turn: take everything that is ready, apply it in memory, hand it to the log, and let its
//! effects go once it is durable.
//!
//! A turn never waits. The OS thread of a partition is only a loop around it, and the simulator
//! calls it from a loop of its own.
//!
//! Reading order: this file (the turn), `recover` (where a driver comes from), `due` (what time brings),
//! `apply` (events to records, records to the log), `read`, `owed` (attempts that had no place), `resend`, `checkpoint`,
//! `health`, `close` (its end).

mod apply;
mod checkpoint;
mod close;
mod due;
mod health;
mod owed;
mod read;
mod recover;
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
use runtime_store::{Base, Room, Store};
use tokio::sync::oneshot;

use crate::{
    checkpoint::{Checkpoints, Schedule},
    clock::Clock,
    dispatch::Dispatch,
    durable::Durable,
    inbox::Inbox,
    lanes::{Admission, Arrivals, Bounds},
    observer::Observer,
};

use owed::Owed;
pub(crate) use recover::{Folded, Surroundings};

/// While the disk is nearly full, a partition looks this often whether there is room again.
const ROOM_CHECK_MS: u64 = 100;

/// Limits of a partition's work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Records of one turn. More make larger batches and longer turns.
    pub batch_records_max: usize,
    /// Their bytes, each counted with 8 KiB beside its payload. A turn takes one event in any case, so
    /// a batch has at most this much and the largest event there is.
    pub batch_bytes_max: usize,
    /// Timers that one turn fires.
    pub timers_max: usize,
    /// Finished invocations that one turn removes.
    pub expiries_max: u32,
    /// Refused attempts that one turn offers again.
    pub starts_max: usize,
    /// How many bytes finished invocations may take, estimated.
    pub retention_budget_bytes: u64,
    /// A checkpoint is due this long after the last; one of little, after five times as long.
    pub checkpoint_interval: Duration,
    /// A checkpoint is due when the overlay takes this many bytes. While one is being written, large
    /// events wait from there on, and all events of edges when small ones have brought twice as many.
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

/// What a turn did, for whoever calls the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Something was done.
    Worked {
        /// When there is more to do even if nothing comes in; may have passed.
        until: Option<Timestamp>,
    },
    /// There was nothing to do.
    Idle {
        /// When there is something to do even if nothing comes in.
        until: Option<Timestamp>,
    },
    /// The node was told to stop.
    Stopped,
    /// The log or the tables can't be written.
    Failed,
}

/// One partition at work.
pub struct Driver {
    pub(crate) partition: Partition,
    settings: Settings,
    live: Overlay,
    pub(crate) store: Store,
    /// Of the stores of the whole node.
    room: Room,
    log: Arc<dyn Log>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) dispatch: Arc<Dispatch>,
    checkpoints: Arc<dyn Checkpoints>,
    schedule: Schedule,
    applied: Lsn,
    /// How far that is on disk.
    durable: Arc<Durable>,
    /// No timer row is due before this time; `None` when there is none at all.
    next_timer: Option<Timestamp>,
    /// The same for finished invocations.
    next_expiry: Option<Timestamp>,
    /// Attempts that the invoker had no room for, and those found running at start, oldest first.
    owed: Owed,
    /// To whom messages are being sent again, and behind which row that goes on.
    resending: BTreeMap<PartitionId, Option<Key>>,
    /// Who waits for rows to hold.
    holders: Vec<oneshot::Sender<Base>>,
    observer: Option<Arc<dyn Observer>>,
    /// Whether what was promised takes more than the retention budget, as of the last turn.
    is_overpromised: bool,
    /// Since when edges wait for a checkpoint.
    held_since_us: Option<u64>,
    /// Bytes that large events have added to the overlay since the last checkpoint began.
    large_bytes: usize,
}

impl Driver {
    /// Does everything that can be done now; waits for work at most `patience`.
    pub fn turn(&mut self, patience: Duration) -> Turn {
        let admission = self.admission();
        let bounds = Bounds {
            admission,
            events_max: self.settings.batch_records_max,
            bytes_max: self.settings.batch_bytes_max,
            log_bytes_max: self.log_bytes_max(),
        };
        let Arrivals { notices, mut events, reads, no_room, .. } =
            self.inbox.take(patience, bounds);
        self.answer_pings(notices.pings);
        if notices.log_failed || notices.checkpoint.is_some_and(|done| !self.install(done)) {
            return Turn::Failed;
        }
        assert!(
            no_room.is_empty() || admission == Admission::Reserve,
            "partition {}: {} events are refused for want of room, and the turn takes {admission:?}",
            self.partition.id.0,
            no_room.len()
        );
        no_room.iter().for_each(|event| self.dispatch.refuse(event));
        let acknowledged = notices.acknowledged.into_iter();
        events.extend(
            acknowledged.map(|(by, sequence)| Event::MessagesAcknowledged { by, sequence }),
        );
        let now = Timestamp(self.clock.now_us() / 1000);
        self.add_due(now, admission, &mut events);
        let has_events = !events.is_empty();
        self.apply(events);
        self.look(reads);
        self.owed.note(notices.refused, notices.wanted);
        let offered = self.offer_owed() | self.resend(notices.resend);
        self.maybe_checkpoint();
        if notices.stop {
            return Turn::Stopped;
        }
        let until = self.next_wake_up(now, admission);
        if has_events || offered { Turn::Worked { until } } else { Turn::Idle { until } }
    }

    /// This partition's part of the room that the log has for certain. Each may have two batches on
    /// their way, and what they take together must not be waited for: a full disk is to be met when
    /// nothing has been applied that needs more of it.
    fn log_bytes_max(&self) -> usize {
        let part = self.log.room_bytes() / (2 * u64::from(self.partition.count));
        usize::try_from(part).unwrap_or(usize::MAX)
    }

    /// What this turn may take in.
    fn admission(&mut self) -> Admission {
        let is_nearly_full = self.log.is_short() || self.room.is_short();
        self.inbox.set_no_room(is_nearly_full);
        self.inbox.let_in(self.schedule.payload_bytes_max(self.unwritten_bytes()));
        let is_overloaded = self.is_holding();
        let held_since_us = self.held_since_us.filter(|_| is_overloaded);
        self.held_since_us = held_since_us.or_else(|| is_overloaded.then(|| self.clock.now_us()));
        if is_nearly_full {
            Admission::Reserve
        } else if is_overloaded {
            Admission::Hold
        } else {
            Admission::All
        }
    }

    /// The last record applied.
    pub fn applied(&self) -> Lsn {
        self.applied
    }

    /// The rows as of the last record, durable or not: for the simulator's checks.
    pub fn tables<T>(&mut self, look: impl FnOnce(&Tables<'_>) -> T) -> T {
        look(&Tables::new(&mut self.live, self.store.base()))
    }

    /// Estimate of what has changed since the last checkpoint began, in bytes of memory.
    fn unwritten_bytes(&self) -> usize {
        self.live.size_bytes() + self.store.unwritten_bytes()
    }

    /// Whether edges wait for a checkpoint.
    pub(crate) fn is_holding(&self) -> bool {
        self.schedule.is_overloaded(self.unwritten_bytes(), self.large_bytes)
    }

    fn next_wake_up(&self, now: Timestamp, admission: Admission) -> Option<Timestamp> {
        if self.owed.may_start() || !self.resending.is_empty() {
            return Some(Timestamp(0)); // There is more to offer.
        }
        let checkpoint = self.schedule.next(self.unwritten_bytes());
        if admission == Admission::Reserve {
            // Timers wait, and nobody calls when there is room again.
            return checkpoint.into_iter().chain([now.after_ms(ROOM_CHECK_MS)]).min();
        }
        [self.next_timer, self.next_expiry, checkpoint].into_iter().flatten().min()
    }
}

pub(crate) fn log_id(partition: PartitionId) -> runtime_log::PartitionId {
    runtime_log::PartitionId(partition.0)
}
