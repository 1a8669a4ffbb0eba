//! What waits for a partition's next turn, and how much of it a turn takes. No locks here.
//!
//! Events from edges and reads share one queue, in the order in which they arrived, so a read sees
//! every event that was queued before it. While one kind of event is held back, the others and the
//! reads overtake it; nothing that is held back has been acknowledged. What a turn takes but does
//! not get to goes back to where it was.

use std::collections::{BTreeMap, VecDeque};

use runtime_core::{
    PartitionId,
    event::Event,
    model::{ids::AttemptRef, operation::Operation},
    tables::Tables,
};
use runtime_store::{Base, CheckpointDone};
use tokio::sync::oneshot;

use crate::{budget, edges::Full, health::PartitionHealth, peers::Peers};

/// A request to read the rows.
pub(crate) enum Read {
    /// As they are in this turn.
    Look(Look),
    /// As they are in this turn, for as long as the reader likes.
    Hold(oneshot::Sender<Base>),
}

/// A query of the rows; it returns the closure that sends its answer.
pub(crate) type Look = Box<dyn FnOnce(&Tables<'_>) -> SendReply + Send>;

/// Sends a read's answer once what it saw is durable.
pub(crate) type SendReply = Box<dyn FnOnce() + Send>;

/// What every event costs in addition to its payload when bytes are counted: its own memory, its
/// record's header and the rows that it creates.
pub(crate) const EVENT_BYTES: usize = 8 * 1024;

/// What a record takes up in the log in addition to the event's payload: its header, names and ids.
const RECORD_BYTES: usize = 1024;

/// This many events are worth a turn of their own while a batch is on its way to disk.
const BATCH_FULL: usize = 512;

/// Source of an event, which decides whether it may be taken when memory or disk space is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// New work that a client requests, and whatever else may take up much space.
    New,
    /// Progress of running attempts.
    Running,
    /// Results from clients that invocations wait for: held back like running work, but not in its
    /// way.
    Results,
    /// Operators' requests, and work that frees space.
    Control,
}

impl Lane {
    /// Number of lanes.
    pub(crate) const COUNT: usize = 4;

    /// The lane of an event from an edge.
    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::Invoked(_)
            | Event::Produced { .. }
            | Event::StateEditRequested { .. }
            | Event::OperationRequested { operation: Operation::RestartAsNew(_), .. } => Self::New,
            Event::DeploymentPinned { .. }
            | Event::CommandProposed { .. }
            | Event::TimedCommandProposed { .. }
            | Event::RunProposed { .. }
            | Event::AttemptSuspended { .. }
            | Event::AttemptEnded { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptFailedOn { .. } => Self::Running,
            Event::SignalReceived { .. } | Event::SignalRequested { .. } => Self::Results,
            Event::TimerFired { .. }
            | Event::CancelRequested { .. }
            | Event::KillRequested { .. }
            | Event::MessageReceived { .. }
            | Event::MessagesAcknowledged { .. }
            | Event::RetentionDue { .. }
            | Event::CleanupDue { .. }
            | Event::PurgeRequested { .. }
            | Event::OperationRequested { .. }
            | Event::ResultDue { .. }
            | Event::DeploymentRegistered { .. }
            | Event::DeploymentOffered { .. }
            | Event::DeploymentUpdated { .. }
            | Event::ServiceConfigured { .. }
            | Event::RegistryChangeRequested { .. }
            | Event::DeploymentRemoved { .. } => Self::Control,
        }
    }
}

/// Which events a turn takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intake {
    /// All of them.
    All,
    /// Memory is short until a checkpoint is written: peers and edges wait, except for operators.
    Hold,
    /// The disk is nearly full: new work is refused, running work waits, operators' requests are
    /// taken.
    Reserve,
}

impl Intake {
    /// Whether a turn takes messages from peers.
    fn takes_peers(self) -> bool {
        matches!(self, Self::All | Self::Reserve)
    }

    /// Whether a turn takes events of this lane out of the queue.
    fn takes(self, lane: Lane) -> bool {
        match self {
            Self::All => true,
            Self::Hold => lane == Lane::Control,
            // New work is taken out in order to refuse it.
            Self::Reserve => matches!(lane, Lane::Control | Lane::New),
        }
    }
}

/// How much a turn takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) intake: Intake,
    /// Number of events, including those from peers.
    pub(crate) events_max: usize,
    /// Bytes of their payloads, plus [`EVENT_BYTES`] each. One event is always taken, whatever its
    /// size.
    pub(crate) bytes_max: usize,
    /// Bytes that their records may take up in the log, so that a disk that turns out to be full
    /// still has space for operators' requests. One event is always taken, whatever its size.
    pub(crate) log_bytes_max: usize,
}

/// An event, and the permits that were taken for it.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) event: Event,
    /// Size class ([`budget::size_of`]) under which it was admitted.
    pub(crate) size: usize,
    pub(crate) permits: u32,
}

#[expect(clippy::large_enum_variant, reason = "nearly all are events, moved in and out once")]
enum Work {
    Event(Lane, Queued),
    Read(Read),
}

/// Everything that has arrived since the last turn.
pub(crate) struct Lanes {
    limits: Limits,
    /// Messages from other partitions; taken first, since they only finish work that has started.
    pub(crate) peers: Peers,
    work: VecDeque<Work>,
    /// Number of events in `work`, by lane.
    waiting: [usize; Lane::COUNT],
    reads: usize,
    /// Whether reads are no longer answered.
    is_closed: bool,
    pub(crate) notices: Notices,
    /// Batches of this partition that are on their way to disk.
    pub(crate) syncing: usize,
    /// When the last sync completed or, if none has completed since there was something to sync,
    /// when the first batch was submitted. In microseconds of the node's clock.
    pub(crate) synced_at_us: u64,
    /// Bytes of this partition's batches that are on their way to disk, and of their effects.
    pub(crate) in_flight_bytes: usize,
}

/// Something that is on its way to disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InFlight {
    /// Whether it has records; a barrier has none.
    pub(crate) is_batch: bool,
    /// Bytes of its records and of the effects that it holds.
    pub(crate) bytes: usize,
}

/// How many bytes may wait in an inbox and behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Of messages from other partitions.
    pub(crate) peer_bytes_max: usize,
    /// Of batches that are on their way to disk, and of their effects. A turn may exceed it.
    pub(crate) in_flight_bytes_max: usize,
    /// See [`crate::Settings::small_bytes_max`].
    pub(crate) small_bytes_max: usize,
}

/// Input that is neither event nor read. There is little of it, and a turn takes all of it.
#[derive(Default)]
pub(crate) struct Notices {
    /// Pending health queries.
    pub(crate) pings: Vec<oneshot::Sender<PartitionHealth>>,
    /// For each other partition, the last of our messages that it has on disk.
    pub(crate) acknowledged: BTreeMap<PartitionId, u64>,
    /// Partitions that ask for our messages again, and for which of them first.
    pub(crate) resend: BTreeMap<PartitionId, u64>,
    /// Attempts that the invoker refused, and the capacity that was exhausted.
    pub(crate) refused: Vec<(AttemptRef, Full)>,
    /// Capacities that the invoker has free again, and for how many attempts.
    pub(crate) wanted: BTreeMap<Full, usize>,
    /// Outcome of a checkpoint.
    pub(crate) checkpoint: Option<CheckpointDone>,
    /// The log can no longer write.
    pub(crate) log_failed: bool,
    /// The node is stopping.
    pub(crate) stop: bool,
}

/// What a turn has taken.
#[derive(Default)]
pub(crate) struct Arrivals {
    pub(crate) notices: Notices,
    /// From peers, then from edges; each in order.
    pub(crate) events: Vec<Event>,
    /// Reads that see these events.
    pub(crate) reads: Vec<Read>,
    /// New work that the disk has no space for.
    pub(crate) disk_full: Vec<Event>,
    /// Whether nothing was taken because the log has to write first.
    pub(crate) is_full: bool,
    /// Peers to ask for messages that there was no memory for, and the first message of each.
    pub(crate) missing: Vec<(PartitionId, u64)>,
    /// Permits to return, by lane and size class.
    pub(crate) permits: [[usize; budget::SIZES.len()]; Lane::COUNT],
}

/// How much an event counts where bytes are limited.
pub(crate) fn weight(event: &Event) -> usize {
    EVENT_BYTES + event.payload_bytes()
}

/// Estimate of the bytes that an event's record takes up in the log.
pub(crate) fn record_bytes(event: &Event) -> usize {
    RECORD_BYTES + event.payload_bytes()
}

impl Lanes {
    /// Nothing has arrived yet.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            peers: Peers::new(limits.peer_bytes_max),
            work: VecDeque::new(),
            waiting: [0; Lane::COUNT],
            reads: 0,
            is_closed: false,
            notices: Notices::default(),
            syncing: 0,
            synced_at_us: 0,
            in_flight_bytes: 0,
        }
    }

    pub(crate) fn push_event(&mut self, queued: Queued) {
        let lane = Lane::of(&queued.event);
        self.waiting[lane as usize] += 1;
        self.work.push_back(Work::Event(lane, queued));
    }

    /// Queues a read. If reads are no longer answered it is dropped, so that its receiver fails.
    pub(crate) fn push_read(&mut self, read: Read) {
        if !self.is_closed {
            self.reads += 1;
            self.work.push_back(Work::Read(read));
        }
    }

    /// Drops all reads, including those that are still to come.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        self.reads = 0;
        self.work.retain(|work| matches!(work, Work::Event(..)));
        self.notices.pings.clear();
        self.notices.stop = true;
    }

    /// Puts back what a turn has taken and not got to, before everything that has arrived since.
    pub(crate) fn put_back(&mut self, events: Vec<Event>, reads: Vec<Read>) {
        for read in reads.into_iter().rev().filter(|_| !self.is_closed) {
            self.reads += 1;
            self.work.push_front(Work::Read(read));
        }
        for event in events.into_iter().rev() {
            if matches!(event, Event::MessageReceived { .. }) {
                self.peers.put_back(event);
                continue;
            }
            let lane = Lane::of(&event);
            self.waiting[lane as usize] += 1;
            // Its permits were returned when it was taken; there is less of this than of one turn.
            let size = budget::size_of(event.payload_bytes());
            self.work.push_front(Work::Event(lane, Queued { event, size, permits: 0 }));
        }
    }

    /// Number of waiting events from edges.
    pub(crate) fn events_waiting(&self) -> usize {
        self.waiting.iter().sum()
    }

    /// Whether a turn is worthwhile. What arrives while a batch is on its way to disk shares the
    /// next batch, since it could not be durable any sooner.
    pub(crate) fn is_ready(&self, intake: Intake) -> bool {
        let notices = &self.notices;
        if notices.log_failed || notices.stop || !notices.pings.is_empty() {
            return true;
        }
        if self.is_full() {
            return notices.checkpoint.is_some();
        }
        let lanes = [Lane::New, Lane::Running, Lane::Results, Lane::Control];
        let admitted = lanes.into_iter().filter(|lane| intake.takes(*lane));
        let events: usize = admitted.map(|lane| self.waiting[lane as usize]).sum();
        let messages = if intake.takes_peers() { self.peers.len() } else { 0 };
        if self.syncing > 0 {
            return messages + events >= BATCH_FULL && intake != Intake::Reserve;
        }
        events + messages > 0
            || self.reads > 0
            || (intake.takes_peers() && self.peers.may_ask())
            || !notices.acknowledged.is_empty()
            || !notices.resend.is_empty()
            || !notices.refused.is_empty()
            || !notices.wanted.is_empty()
            || notices.checkpoint.is_some()
    }

    /// Whether what earlier turns have handed to the log takes as much memory as it may. Everything
    /// waits until the log has some of it on disk.
    fn is_full(&self) -> bool {
        self.in_flight_bytes >= self.limits.in_flight_bytes_max
    }

    /// Notes that something is handed to the log: a batch, or a barrier that holds effects.
    pub(crate) fn hand_over(&mut self, in_flight: InFlight, now_us: u64) {
        if self.syncing == 0 && in_flight.is_batch {
            self.synced_at_us = now_us;
        }
        self.syncing += usize::from(in_flight.is_batch);
        self.in_flight_bytes += in_flight.bytes;
    }

    /// Notes that the log has it on disk.
    ///
    /// # Panics
    /// Panics if it was not handed over.
    pub(crate) fn written(&mut self, in_flight: InFlight, now_us: u64) {
        let InFlight { is_batch, bytes } = in_flight;
        assert!(
            self.syncing >= usize::from(is_batch) && self.in_flight_bytes >= bytes,
            "{in_flight:?} is on disk, but {} batches and {} bytes were on their way",
            self.syncing,
            self.in_flight_bytes
        );
        self.in_flight_bytes -= bytes;
        if is_batch {
            self.syncing -= 1;
            self.synced_at_us = now_us;
        }
    }

    /// Takes the next turn's work.
    pub(crate) fn take(&mut self, bounds: Bounds) -> Arrivals {
        let mut taken =
            Arrivals { notices: std::mem::take(&mut self.notices), ..Arrivals::default() };
        if self.is_full() {
            taken.is_full = true;
            return taken;
        }
        if bounds.intake == Intake::Reserve && self.syncing > 0 {
            // The space that is left takes one batch at a time, so that none gets stuck behind
            // another.
            return taken;
        }
        let mut budget = TurnBudget {
            events: bounds.events_max,
            bytes: bounds.bytes_max,
            log_bytes: bounds.log_bytes_max,
            is_empty: true,
        };
        if bounds.intake.takes_peers() {
            self.take_peers(&mut taken, &mut budget);
            taken.missing = self.peers.ask();
        }
        self.take_work(&mut taken, &mut budget, bounds.intake);
        assert!(
            taken.events.len() <= bounds.events_max.max(1),
            "a turn takes {} events; the maximum is {}",
            taken.events.len(),
            bounds.events_max
        );
        assert!(
            self.work.len() == self.events_waiting() + self.reads,
            "{} events and reads wait, but {:?} events by lane and {} reads are counted",
            self.work.len(),
            self.waiting,
            self.reads
        );
        taken
    }

    /// Peers get at most half of the turn while edges wait, so that they cannot starve them.
    fn take_peers(&mut self, taken: &mut Arrivals, budget: &mut TurnBudget) {
        let (events_min, bytes_min) =
            if self.work.is_empty() { (0, 0) } else { (budget.events / 2, budget.bytes / 2) };
        while let Some(event) = self.peers.front() {
            let is_over_half = budget.events <= events_min || budget.bytes <= bytes_min;
            if (is_over_half && !budget.is_empty) || !budget.fits(event) {
                return;
            }
            taken.events.extend(self.peers.pop());
        }
    }

    fn take_work(&mut self, taken: &mut Arrivals, budget: &mut TurnBudget, intake: Intake) {
        let mut held = VecDeque::new();
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Read(read) => {
                    self.reads -= 1;
                    taken.reads.push(read);
                }
                Work::Event(lane, queued) if !intake.takes(lane) => {
                    held.push_back(Work::Event(lane, queued));
                }
                Work::Event(Lane::New, queued) if intake == Intake::Reserve => {
                    self.leave(taken, Lane::New, &queued);
                    taken.disk_full.push(queued.event);
                }
                Work::Event(lane, queued) => {
                    if !budget.fits(&queued.event) {
                        self.work.push_front(Work::Event(lane, queued));
                        break;
                    }
                    self.leave(taken, lane, &queued);
                    taken.events.push(queued.event);
                }
            }
        }
        // Back to where it was: before everything that was not examined.
        while let Some(work) = held.pop_back() {
            self.work.push_front(work);
        }
    }

    fn leave(&mut self, taken: &mut Arrivals, lane: Lane, queued: &Queued) {
        assert!(
            self.waiting[lane as usize] > 0,
            "an event leaves lane {lane:?}, which counts none: {:?}",
            self.waiting
        );
        self.waiting[lane as usize] -= 1;
        taken.permits[lane as usize][queued.size] += queued.permits as usize;
    }
}

/// What is left of a turn's bounds.
struct TurnBudget {
    events: usize,
    bytes: usize,
    log_bytes: usize,
    is_empty: bool,
}

impl TurnBudget {
    /// Reserves capacity for an event; the first one always fits.
    fn fits(&mut self, event: &Event) -> bool {
        let (bytes, log_bytes) = (weight(event), record_bytes(event));
        let is_within = self.events > 0 && self.bytes >= bytes && self.log_bytes >= log_bytes;
        let fits = self.is_empty || is_within;
        if fits {
            self.events = self.events.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(bytes);
            self.log_bytes = self.log_bytes.saturating_sub(log_bytes);
            self.is_empty = false;
        }
        fits
    }
}
