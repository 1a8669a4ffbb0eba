//! The turn: take everything that is ready, apply it in memory, hand it to the log, and let its
//! effects go once it is durable.
//!
//! A turn never waits. The OS thread of a partition is only a loop around it, and the simulator
//! calls it from a loop of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use runtime_core::{
    Lsn, Partition, PartitionId,
    effect::Effect,
    event::{Event, Record},
    model::timer::TimerKey,
    tables::{Overlay, Tables},
    time::Timestamp,
};
use runtime_log::Log;
use runtime_store::{CheckpointDone, Room, Store};
use tokio::sync::oneshot;

use crate::{
    checkpoint::{Checkpoints, Schedule},
    clock::Clock,
    dispatch::Dispatch,
    durable::Durable,
    health::{OverBudget, PartitionHealth, STUCK_AFTER},
    inbox::Inbox,
    lanes::{Admission, Answering, Arrivals, Bounds, Read},
    owed::{Offer, Owed},
};

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
    /// events wait from there on, and all events of edges from twice as many.
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
    pub(crate) settings: Settings,
    pub(crate) live: Overlay,
    pub(crate) store: Store,
    /// Of the stores of the whole node.
    pub(crate) room: Room,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) checkpoints: Arc<dyn Checkpoints>,
    pub(crate) schedule: Schedule,
    pub(crate) applied: Lsn,
    /// How far that is on disk.
    pub(crate) durable: Arc<Durable>,
    /// No timer row is due before this time; `None` when there is none at all.
    pub(crate) next_timer: Option<Timestamp>,
    /// The same for finished invocations.
    pub(crate) next_expiry: Option<Timestamp>,
    /// Attempts that the invoker had no room for, and those found running at start, oldest first.
    pub(crate) owed: Owed,
    /// Whether what was promised takes more than the retention budget, as of the last turn.
    pub(crate) is_overpromised: bool,
    /// Since when edges wait for a checkpoint.
    pub(crate) held_since_us: Option<u64>,
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
        let offered = self.offer_owed();
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
        self.inbox.let_in(self.schedule.payload_bytes_max(self.live.size_bytes()));
        let is_overloaded = self.schedule.is_overloaded(self.live.size_bytes());
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

    fn answer_pings(&mut self, pings: Vec<oneshot::Sender<PartitionHealth>>) {
        if pings.is_empty() {
            return;
        }
        let stuck = [self.inbox.syncing_since_us(), self.held_since_us];
        let [log_stuck_ms, checkpoint_stuck_ms] = stuck.map(|since_us| self.stuck_ms(since_us));
        let tables = Tables::new(&mut self.live, self.store.base());
        let retained = tables.retained();
        let budget_bytes = self.settings.retention_budget_bytes;
        let health = PartitionHealth {
            has_room: !self.inbox.has_no_room(),
            log_stuck_ms,
            checkpoint_stuck_ms,
            promised_over_budget: (retained.bytes > budget_bytes && !retained.may_shrink)
                .then_some(OverBudget { retained_bytes: retained.bytes, budget_bytes }),
            tables_bytes: self.store.file_bytes(),
            tables_free_share: self.store.free_share(),
        };
        for ping in pings {
            let _ = ping.send(health.clone()); // Whoever asked may have gone.
        }
        // A log can fail while nobody appends: whoever asks next hears of it, and this node ends.
        self.after_durable(|| ());
    }

    /// How long something has lasted that should not, once that is for too long.
    fn stuck_ms(&self, since_us: Option<u64>) -> Option<u64> {
        let lasts_us = self.clock.now_us().saturating_sub(since_us?);
        Some(lasts_us / 1000).filter(|lasts_ms| u128::from(*lasts_ms) >= STUCK_AFTER.as_millis())
    }

    /// The last record applied.
    pub fn applied(&self) -> Lsn {
        self.applied
    }

    /// The rows as of the last record, durable or not: for the simulator's checks.
    pub fn tables<T>(&mut self, look: impl FnOnce(&Tables<'_>) -> T) -> T {
        look(&Tables::new(&mut self.live, self.store.base()))
    }

    /// Whether events of edges are held back until the overlay has shrunk: for the simulator's counts.
    #[doc(hidden)]
    pub fn is_overloaded(&self) -> bool {
        self.schedule.is_overloaded(self.live.size_bytes())
    }

    fn next_wake_up(&self, now: Timestamp, admission: Admission) -> Option<Timestamp> {
        if self.owed.may_start() {
            return Some(Timestamp(0)); // There is more to offer.
        }
        let checkpoint = self.schedule.next(self.live.size_bytes());
        if admission == Admission::Reserve {
            // Timers wait, and nobody calls when there is room again.
            return checkpoint.into_iter().chain([now.after_ms(ROOM_CHECK_MS)]).min();
        }
        [self.next_timer, self.next_expiry, checkpoint].into_iter().flatten().min()
    }

    /// Timers and removals whose time has come are events like all else.
    fn add_due(&mut self, now: Timestamp, admission: Admission, events: &mut Vec<Event>) {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let mut tables = Tables::new(&mut self.live, self.store.base());
        if is_due(self.next_timer) && admission != Admission::Reserve {
            let due = tables.timers_due(Timestamp(0), now, self.settings.timers_max);
            check_due(self.partition.id, &due, self.next_timer, now);
            // The rows that fire are gone when this batch is applied: the search goes on behind
            // them, and what is left of the same millisecond is found by the next turn.
            self.next_timer = match due.last() {
                Some(last) => tables.next_timer(last.at),
                None => tables.next_timer(Timestamp(0)),
            };
            events.extend(due.into_iter().map(|timer| Event::TimerFired { timer }));
        }
        let budget_bytes = self.settings.retention_budget_bytes;
        let is_over_budget = tables.meta().retained_bytes > budget_bytes;
        let may_make_room = is_over_budget && tables.retained().may_shrink;
        // What was promised stays whatever it takes; once is enough to say so.
        let is_overpromised = is_over_budget && !may_make_room;
        if is_overpromised && !self.is_overpromised {
            tracing::warn!(
                partition = self.partition.id.0,
                budget_bytes,
                "results that were promised take more than the retention budget, and are kept"
            );
        }
        self.is_overpromised = is_overpromised;
        if is_due(self.next_expiry) || may_make_room {
            events.push(Event::CleanupDue { budget_bytes, limit: self.settings.expiries_max });
            self.next_expiry = tables.next_expiry(Timestamp(0)).map(|(at, _, _)| at);
        }
    }

    /// Applies the events in memory, then appends them; their effects leave with the log's callback.
    fn apply(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let first_lsn = Lsn(self.applied.0 + 1);
        let first_stamp = self.clock.take(events.len() as u64);
        let mut payloads: Vec<Bytes> = Vec::with_capacity(events.len());
        let mut effects = Vec::new();
        let mut tables = Tables::new(&mut self.live, self.store.base());
        for (offset, event) in (0..).zip(events) {
            let stamp = runtime_core::time::Stamp(first_stamp.0 + offset);
            let record = Record::new(Lsn(first_lsn.0 + offset), stamp, event);
            self.partition.apply(&mut tables, &record, &mut effects);
            payloads.push(record.encode());
            self.applied = record.lsn;
        }
        let mut is_registry_changed = false;
        for effect in &effects {
            match effect {
                Effect::ArmTimer { at } => lower(&mut self.next_timer, *at),
                Effect::ArmExpiry { at } => lower(&mut self.next_expiry, *at),
                Effect::PublishRegistry => is_registry_changed = true,
                Effect::StartAttempt(_)
                | Effect::SendNotification { .. }
                | Effect::AbortAttempt { .. }
                | Effect::Answer { .. }
                | Effect::Completed { .. }
                | Effect::Send { .. }
                | Effect::Acknowledge { .. } => (),
            }
        }
        let registry = is_registry_changed.then(|| tables.deployments());
        let dispatch = Arc::clone(&self.dispatch);
        self.append(first_lsn, payloads, move || dispatch.dispatch(effects, registry));
    }

    /// Answers reads once everything they saw is durable.
    fn look(&mut self, reads: Vec<Read>) {
        if reads.is_empty() {
            return;
        }
        let tables = Tables::new(&mut self.live, self.store.base());
        let answers: Vec<Answering> = reads.into_iter().map(|read| read(&tables)).collect();
        self.after_durable(move || answers.into_iter().for_each(|answer| answer()));
    }

    /// Offers attempts that are owed, while the invoker has room.
    fn offer_owed(&mut self) -> bool {
        let tables = Tables::new(&mut self.live, self.store.base());
        let Some(offer) = self.owed.take(&tables, self.settings.starts_max) else { return false };
        let Offer { starts, more_wait } = offer;
        if !starts.is_empty() || !more_wait.is_empty() {
            let dispatch = Arc::clone(&self.dispatch);
            self.after_durable(move || {
                dispatch.dispatch(starts, None);
                more_wait.into_iter().for_each(|full| dispatch.edges.attempt_refused(full));
            });
        }
        true
    }

    fn maybe_checkpoint(&mut self) {
        if self.schedule.is_due(self.clock.now_us(), self.live.size_bytes()) {
            let inbox = Arc::clone(&self.inbox);
            self.checkpoint(move |done| inbox.put(|lanes| lanes.notices.checkpoint = Some(done)));
        }
    }

    /// Begins a checkpoint, if there is anything to write; `told` is told when it is written.
    pub(crate) fn checkpoint(&mut self, told: impl FnOnce(CheckpointDone) + Send + 'static) {
        if self.live.is_empty() {
            return;
        }
        self.schedule.started();
        let job = self.store.freeze(&mut self.live, self.applied);
        let checkpoints = Arc::clone(&self.checkpoints);
        self.after_durable(move || checkpoints.run(job, Box::new(told)));
    }

    /// Goes on from a checkpoint that was written. False when it could not be.
    pub(crate) fn install(&mut self, done: CheckpointDone) -> bool {
        let (before, durable) = (self.store.applied(), self.durable.last());
        match self.store.install(done) {
            Ok(checkpointed) => {
                // Tables that are ahead of the log can't be used after a crash.
                assert!(
                    before < checkpointed && checkpointed <= durable,
                    "partition {}: the tables go from record {} to {}, and {} is durable",
                    self.partition.id.0,
                    before.0,
                    checkpointed.0,
                    durable.0
                );
                self.log.trim(log_id(self.partition.id), runtime_log::Lsn(checkpointed.0));
                self.schedule.finished(self.clock.now_us());
                true
            }
            Err(error) => {
                tracing::error!(partition = self.partition.id.0, "{error}");
                false
            }
        }
    }

    /// Runs `done` once everything applied so far is durable.
    fn after_durable(&self, done: impl FnOnce() + Send + 'static) {
        self.append(Lsn(self.applied.0 + 1), Vec::new(), done);
    }

    fn append(&self, first_lsn: Lsn, records: Vec<Bytes>, done: impl FnOnce() + Send + 'static) {
        let (id, count) = (self.partition.id.0, records.len() as u64);
        assert!(
            first_lsn.0 + count == self.applied.0 + 1,
            "partition {id}: {count} records from {} on go to the log, and {} is the last one applied",
            first_lsn.0,
            self.applied.0
        );
        let inbox = Arc::clone(&self.inbox);
        let is_batch = !records.is_empty();
        let (clock, durable) = (Arc::clone(&self.clock), Arc::clone(&self.durable));
        if is_batch {
            let now_us = clock.now_us();
            inbox.put(|lanes| {
                if lanes.syncing == 0 {
                    lanes.synced_at_us = now_us;
                }
                lanes.syncing += 1;
            });
        }
        let batch = runtime_log::Batch {
            partition: log_id(self.partition.id),
            first_lsn: runtime_log::Lsn(first_lsn.0),
            records,
        };
        self.log.append(
            batch,
            Box::new(move |result| match result {
                Ok(()) => {
                    durable.acknowledge(first_lsn, count);
                    done();
                    if is_batch {
                        let now_us = clock.now_us();
                        inbox.put(|lanes| {
                            assert!(
                                lanes.syncing > 0,
                                "partition {id}: the batch of record {} is on disk, and none was on \
                                 its way",
                                first_lsn.0
                            );
                            lanes.syncing -= 1;
                            lanes.synced_at_us = now_us;
                        });
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the log cannot write; nothing is acknowledged any more");
                    inbox.put(|lanes| lanes.notices.log_failed = true);
                }
            }),
        );
    }
}

/// What is due is due by now, and not before the time at which it was looked for: a timer that nobody
/// was told of would have fired late.
fn check_due(partition: PartitionId, due: &[TimerKey], next: Option<Timestamp>, now: Timestamp) {
    let (Some(first), Some(last)) = (due.first(), due.last()) else { return };
    assert!(
        next.is_some_and(|next| next <= first.at) && last.at <= now,
        "partition {}: timers fire from {:?} to {:?}, and the first was known to be due at {next:?} and \
         it is {now:?}",
        partition.0,
        first.at,
        last.at
    );
}

fn lower(next: &mut Option<Timestamp>, at: Timestamp) {
    *next = Some(next.map_or(at, |next| next.min(at)));
}

pub(crate) fn log_id(partition: PartitionId) -> runtime_log::PartitionId {
    runtime_log::PartitionId(partition.0)
}
