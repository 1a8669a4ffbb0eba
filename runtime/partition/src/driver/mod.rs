//! The turn: take everything that is ready, apply it in memory, hand it to the log, and release its
//! effects once it is durable.
//!
//! A turn waits for nothing but input. The OS thread of a partition is only a loop around it, and
//! the simulator calls it from a loop of its own.
//!
//! Reading order: this file (the turn), `recover` (how a driver is created), `due` (timers and
//! removals), `apply` (events to records, records to the log), `set_aside` (events that wait for a
//! checkpoint), `read`, `refused_starts` (attempts that got no permit), `resend`, `checkpoint`,
//! `health`, `close` (shutdown).

mod apply;
mod checkpoint;
mod close;
mod due;
mod health;
mod read;
mod recover;
mod refused_starts;
mod resend;
mod set_aside;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use runtime_core::{
    Lsn, Partition, PartitionId,
    event::Event,
    tables::{Overlay, Tables},
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
    lanes::{Arrivals, Bounds, Intake, Read},
    observer::Observer,
};

#[cfg(test)]
pub(crate) use read::LAYERS_MAX;
pub(crate) use recover::{Folded, Surroundings};
use refused_starts::RefusedStarts;
use set_aside::SetAside;

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
    /// Bytes of the rows and effects that a turn may add: it ends with the event that reaches this.
    /// Twice as many bytes of records and effects may be on their way to disk.
    pub added_bytes_max: usize,
    /// Bytes of messages from other partitions that wait for a turn. Others are read from the
    /// sender's rows again once there is memory for them.
    pub peer_bytes_max: usize,
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
    /// wait from this size on, and all events from edges and other partitions once small ones have
    /// added twice as much.
    pub overlay_bytes_max: usize,
    /// Events of up to this many bytes, brought rows included, never have to leave memory for
    /// others of their size while the tables cannot be written as fast as events come in: small
    /// requests need not wait for that.
    pub small_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch_records_max: 4096,
            batch_bytes_max: 32 << 20,
            added_bytes_max: 32 << 20,
            peer_bytes_max: 16 << 20,
            timers_max: 1024,
            expiries_max: 256,
            starts_max: 256,
            retention_budget_bytes: 4 << 30,
            checkpoint_interval: Duration::from_secs(1),
            overlay_bytes_max: 16 << 20,
            small_bytes_max: 16 << 10,
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
    /// Partitions that have asked for messages again, and for which of them first.
    resending: BTreeMap<PartitionId, u64>,
    /// Results that have to be passed on to more of those that wait for them.
    results_due: BTreeSet<Lsn>,
    /// Events that wait for a checkpoint to be written.
    set_aside: SetAside,
    /// Whether one large event may be applied, however much waits for the checkpoint that is being
    /// written: otherwise a steady load of small ones could keep it waiting forever.
    may_bring_one: bool,
    /// Readers that wait for rows to hold.
    holders: Vec<oneshot::Sender<Base>>,
    observer: Option<Arc<dyn Observer>>,
    pub(crate) counts: Counts,
    /// Whether promised retention takes up more than its budget, as of the last turn.
    is_overpromised: bool,
    /// Since when edges have waited for the checkpoint that is being written.
    held_since_us: Option<u64>,
}

/// How often a partition reached its bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Turns that ended before they had applied everything they took.
    pub turns_cut: u64,
    /// Events that had to wait for a checkpoint because they would bring large rows.
    pub set_aside: u64,
    /// Times that a result was passed on to more of those that wait for it.
    pub passed_on: u64,
    /// Times that messages of other partitions were asked for again.
    pub asked_again: u64,
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
        let Arrivals { notices, events: taken, reads, disk_full, missing, is_full, .. } =
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
        self.counts.asked_again += u64::from(!missing.is_empty());
        for (from, sequence) in missing {
            self.dispatch.ask_again(from, sequence);
        }
        // These come first, since they free memory.
        let acknowledged = notices.acknowledged.into_iter();
        let mut events: Vec<Event> = acknowledged
            .map(|(by, sequence)| Event::MessagesAcknowledged { by, sequence })
            .collect();
        let may_bring = !is_full && intake != Intake::Reserve && self.may_bring();
        let again = if may_bring { self.set_aside.take() } else { Vec::new() };
        events.extend(taken);
        let now = Timestamp(self.clock.now_us() / 1000);
        if !is_full {
            self.add_due(now, intake, &mut events);
        }
        if may_bring {
            self.counts.passed_on += self.results_due.len() as u64;
            let results = std::mem::take(&mut self.results_due).into_iter();
            events.extend(results.map(|of| Event::ResultDue { of }));
        }
        let has_events = !events.is_empty() || !again.is_empty();
        let left = self.apply(again, events, bounds.log_bytes_max);
        let reads = self.put_back(now, left, reads);
        self.inbox.hold_back(self.set_aside.invocations());
        self.look(reads);
        self.refused_starts.note(notices.refused, notices.wanted);
        self.resending.extend(notices.resend);
        let offered = !is_full && (self.offer_refused_starts() | self.resend());
        self.maybe_checkpoint();
        if notices.stop {
            return Turn::Stopped;
        }
        let until = self.next_wake_up(now, intake, is_full);
        if has_events || offered { Turn::Worked { until } } else { Turn::Idle { until } }
    }

    /// Puts back the events that a turn has taken and not got to, together with the reads, which
    /// may have been queued after them. Returns the reads if there are no such events.
    fn put_back(&mut self, now: Timestamp, left: Vec<Event>, reads: Vec<Read>) -> Vec<Read> {
        if left.is_empty() {
            return reads;
        }
        self.counts.turns_cut += 1;
        let mut of_inbox = Vec::with_capacity(left.len());
        for event in left {
            // Timers and removals that are due are found again.
            if let Event::TimerFired { timer } = event {
                apply::lower(&mut self.next_timer, timer.at);
            } else if let Event::CleanupDue { .. } = event {
                apply::lower(&mut self.next_expiry, now);
            } else if let Event::ResultDue { of } = event {
                self.results_due.insert(of);
            } else {
                of_inbox.push(event);
            }
        }
        self.inbox.put(|lanes| lanes.put_back(of_inbox, reads));
        Vec::new()
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
        } else if is_overloaded || self.set_aside.is_full() {
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

    /// Whether an event may bring rows of any size now.
    fn may_bring(&self) -> bool {
        self.may_bring_one || self.schedule.payload_bytes_max(self.unwritten_bytes()) == usize::MAX
    }

    /// Whether edges wait for a checkpoint.
    pub(crate) fn is_holding(&self) -> bool {
        self.schedule.is_overloaded(self.unwritten_bytes())
    }

    fn next_wake_up(&self, now: Timestamp, intake: Intake, is_full: bool) -> Option<Timestamp> {
        if is_full {
            // Arrivals wake the partition once the log has written, timers do not.
            return Some(now.after_ms(ROOM_CHECK_MS));
        }
        let is_due = !self.results_due.is_empty() && intake != Intake::Reserve;
        let may_pass_on = is_due && self.may_bring();
        if self.refused_starts.may_start() || !self.resending.is_empty() || may_pass_on {
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

#[cfg(test)]
mod tests;
