//! The entrance to a partition's thread: what edges, peers and the log put in, and when that wakes
//! the thread.
//!
//! Events from edges are limited by bytes, separately for each lane, so that no lane can take what
//! another needs, and so are messages from peers. The rest cannot grow without bound: an
//! acknowledgement replaces the one before, and there are only as many reads and notices as callers
//! and attempts.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runtime_core::{Lsn, event::Event};
use tokio::sync::{Semaphore, watch};

use crate::{
    Stopped, budget,
    lanes::{Arrivals, Bounds, Intake, Lane, Lanes, Limits, Queued, weight},
    sync::{self, Condvar, Mutex, MutexGuard},
};

/// Bytes of waiting events of one lane and one size class, per partition. Each event counts with
/// [`crate::lanes::EVENT_BYTES`] in addition to its payload: about a thousand small events, or one
/// large message. That is enough to keep a turn busy while the disk works, and little enough for a
/// slow disk, since a caller waits for a few such batches.
const LANE_BYTES_MAX: u32 = 8 << 20;

pub(crate) struct Inbox {
    lanes: Mutex<Lanes>,
    arrived: Condvar,
    /// Free bytes of each lane, by size class.
    capacity: [[Semaphore; budget::SIZES.len()]; Lane::COUNT],
    /// Whether the disk has no space for new work.
    disk_full: AtomicBool,
    /// Events with up to this payload are always admitted.
    small_bytes_max: usize,
    /// Events with a larger payload wait before they are admitted.
    payload_bytes_max: watch::Sender<usize>,
    /// Invocations whose attempts wait before they propose anything more.
    held_back: watch::Sender<BTreeSet<Lsn>>,
}

impl Inbox {
    pub(crate) fn new(limits: Limits) -> Self {
        let capacity = |_| Semaphore::new(LANE_BYTES_MAX as usize);
        Self {
            lanes: Mutex::new(Lanes::new(limits)),
            arrived: Condvar::new(),
            capacity: std::array::from_fn(|_| std::array::from_fn(capacity)),
            disk_full: AtomicBool::new(false),
            small_bytes_max: limits.small_bytes_max,
            payload_bytes_max: watch::Sender::new(usize::MAX),
            held_back: watch::Sender::default(),
        }
    }

    /// Takes permits for an edge's events and queues them all at once, so that they share a turn
    /// and thus an fsync. Waits for permits; events larger than a lane wait until they are alone in
    /// it.
    pub(crate) async fn push_events(&self, events: Vec<Event>) -> Result<(), Stopped> {
        let Some(lane) = events.first().map(Lane::of) else { return Ok(()) };
        let invocation = events[0].attempt().map(|attempt| attempt.invocation);
        let payload_bytes = events.iter().map(Event::payload_bytes).max().unwrap_or_default();
        let size = budget::size_of(payload_bytes);
        let mut left = LANE_BYTES_MAX;
        let mut queued = Vec::with_capacity(events.len());
        for event in events {
            assert!(Lane::of(&event) == lane, "events queued together must share a lane: {lane:?}");
            let permits = u32::try_from(weight(&event)).map_or(left, |weight| weight.min(left));
            left -= permits;
            queued.push(Queued { event, size, permits });
        }
        // Wait here, because events keep their order from here on.
        if lane != Lane::Control && payload_bytes > self.small_bytes_max {
            self.may_come(payload_bytes).await;
        }
        if let Some(invocation) = invocation {
            self.is_let_on(invocation).await;
        }
        let capacity = &self.capacity[lane as usize][size];
        match capacity.try_acquire_many(LANE_BYTES_MAX - left) {
            Ok(permits) => permits.forget(),
            Err(_) => {
                let permits = capacity.acquire_many(LANE_BYTES_MAX - left).await;
                permits.map_err(|_| Stopped)?.forget();
            }
        }
        self.put(|lanes| queued.into_iter().for_each(|queued| lanes.push_event(queued)));
        Ok(())
    }

    #[cfg(any(test, feature = "simulation"))]
    /// Queues an event no matter how full the lane is: for the simulator, which has no caller to
    /// hold back.
    pub(crate) fn force_event(&self, event: Event) {
        let size = budget::size_of(event.payload_bytes());
        self.put(|lanes| lanes.push_event(Queued { event, size, permits: 0 }));
    }

    pub(crate) fn put(&self, put: impl FnOnce(&mut Lanes)) {
        let mut lanes = self.lock();
        put(&mut lanes);
        let is_ready = lanes.is_ready(Intake::All);
        drop(lanes);
        if is_ready {
            self.arrived.notify_one();
        }
    }

    /// Takes the work of a turn. Waits until a turn is worthwhile, but no longer than `patience`.
    pub(crate) fn take(&self, patience: Duration, bounds: Bounds) -> Arrivals {
        let mut lanes = self.lock();
        if !patience.is_zero() {
            let intake = bounds.intake;
            lanes = sync::wait(&self.arrived, lanes, patience, |lanes| lanes.is_ready(intake));
        }
        let taken = lanes.take(bounds);
        drop(lanes);
        let capacity = self.capacity.iter().flatten();
        for (capacity, permits) in capacity.zip(taken.permits.into_iter().flatten()) {
            capacity.add_permits(permits);
            let free = capacity.available_permits();
            assert!(
                permits == 0 || free <= LANE_BYTES_MAX as usize,
                "{permits} bytes are returned to a lane, which then has {free} of {LANE_BYTES_MAX} free"
            );
        }
        taken
    }

    /// Free bytes of a lane for events of a size class.
    #[cfg(test)]
    pub(crate) fn free(&self, lane: Lane, size: usize) -> usize {
        self.capacity[lane as usize][size].available_permits()
    }

    /// Since when the log has had batches of this partition without finishing one; `None` if it has
    /// none.
    pub(crate) fn syncing_since_us(&self) -> Option<u64> {
        let lanes = self.lock();
        (lanes.syncing > 0).then_some(lanes.synced_at_us)
    }

    /// Sets the largest payload that is admitted. A closed inbox admits all, because it refuses
    /// them anyway.
    pub(crate) fn let_in(&self, payload_bytes_max: usize) {
        let max = if self.is_closed() { usize::MAX } else { payload_bytes_max };
        self.payload_bytes_max.send_if_modified(|now| std::mem::replace(now, max) != max);
    }

    async fn may_come(&self, payload_bytes: usize) {
        // This fails only if the inbox is gone, and `self` is the inbox.
        let _ = self.payload_bytes_max.subscribe().wait_for(|max| payload_bytes <= *max).await;
    }

    /// Sets which invocations' attempts have to wait before they propose anything more. A closed
    /// inbox holds none back, because it refuses them anyway.
    pub(crate) fn hold_back(&self, invocations: &BTreeSet<Lsn>) {
        let none = BTreeSet::new();
        let held_back = if self.is_closed() { &none } else { invocations };
        self.held_back.send_if_modified(|now| {
            let is_changed = now != held_back;
            if is_changed {
                now.clone_from(held_back);
            }
            is_changed
        });
    }

    fn is_closed(&self) -> bool {
        self.capacity.iter().flatten().any(Semaphore::is_closed)
    }

    async fn is_let_on(&self, invocation: Lsn) {
        let is_held_back = |held_back: &BTreeSet<Lsn>| held_back.contains(&invocation);
        if is_held_back(&self.held_back.borrow()) {
            // This fails only if the inbox is gone, and `self` is the inbox.
            let _ = self.held_back.subscribe().wait_for(|now| !is_held_back(now)).await;
        }
    }

    /// Sets whether new work is refused because the disk has no space for it.
    pub(crate) fn set_disk_full(&self, disk_full: bool) {
        self.disk_full.store(disk_full, Ordering::Relaxed);
    }

    /// Whether new work is refused.
    pub(crate) fn is_disk_full(&self) -> bool {
        self.disk_full.load(Ordering::Relaxed)
    }

    /// Refuses all callers that wait for permits or reads, now and later.
    pub(crate) fn close(&self) {
        self.capacity.iter().flatten().for_each(Semaphore::close);
        self.let_in(usize::MAX);
        self.hold_back(&BTreeSet::new());
        self.put(Lanes::close);
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        sync::lock(&self.lanes)
    }
}
