//! The door to a partition's thread: what edges, peers and the log put in, and who is woken by it.
//!
//! Events of edges are held back by bytes, each lane by itself, so that none can take what another
//! needs. The rest can't grow without bound: a peer sends what its rows owe and an acknowledgement
//! replaces the one before, and reads and notices are as many as there are callers and attempts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runtime_core::event::Event;
use tokio::sync::{Semaphore, watch};

use crate::{
    Stopped,
    lanes::{Admission, Arrivals, Bounds, Lane, Lanes, Queued, weight},
    sync::{self, Condvar, Mutex, MutexGuard},
};

/// Bytes of one lane's events that may wait for one partition, each event counted with
/// [`crate::lanes::EVENT_BYTES`] beside its payload: some one thousand small ones, and a large message
/// alone. Enough to keep a turn busy while the disk works, and little enough for a slow disk: whoever calls
/// waits for a few such batches.
const LANE_BYTES_MAX: u32 = 8 << 20;

/// Events with a payload above this wait outside while the tables can't be written as fast as they come:
/// whoever has little to say need not wait for that.
const LARGE_BYTES: usize = 16 << 10;

pub(crate) struct Inbox {
    lanes: Mutex<Lanes>,
    arrived: Condvar,
    /// Free bytes of each lane.
    room: [Semaphore; Lane::COUNT],
    /// Whether the disk has none for new work.
    no_room: AtomicBool,
    /// Whether large events wait before they come in.
    holds_large: watch::Sender<bool>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            lanes: Mutex::new(Lanes::default()),
            arrived: Condvar::new(),
            room: std::array::from_fn(|_| Semaphore::new(LANE_BYTES_MAX as usize)),
            no_room: AtomicBool::new(false),
            holds_large: watch::Sender::new(false),
        }
    }

    /// Takes permits for an edge's events and puts them in, all at once: they share a turn, and so an
    /// fsync. Waits for permits; what is larger than a lane waits until it is alone there.
    pub(crate) async fn push_events(&self, events: Vec<Event>) -> Result<(), Stopped> {
        let Some(lane) = events.first().map(Lane::of) else { return Ok(()) };
        let mut left = LANE_BYTES_MAX;
        let mut queued = Vec::with_capacity(events.len());
        for event in events {
            assert!(Lane::of(&event) == lane, "events put in together are of one lane: {lane:?}");
            let permits = u32::try_from(weight(&event)).map_or(left, |weight| weight.min(left));
            left -= permits;
            queued.push(Queued { event, permits });
        }
        // Here, since behind it events keep their order.
        if lane != Lane::Control && queued.iter().any(is_large) {
            self.large_may_come().await;
        }
        let room = &self.room[lane as usize];
        match room.try_acquire_many(LANE_BYTES_MAX - left) {
            Ok(permits) => permits.forget(),
            Err(_) => {
                let permits = room.acquire_many(LANE_BYTES_MAX - left).await;
                permits.map_err(|_| Stopped)?.forget();
            }
        }
        self.put(|lanes| queued.into_iter().for_each(|queued| lanes.push_event(queued)));
        Ok(())
    }

    /// Puts an event in whatever the lane holds: for the simulator, which has no one to hold back.
    pub(crate) fn force_event(&self, event: Event) {
        self.put(|lanes| lanes.push_event(Queued { event, permits: 0 }));
    }

    pub(crate) fn put(&self, put: impl FnOnce(&mut Lanes)) {
        let mut lanes = self.lock();
        put(&mut lanes);
        let is_ready = lanes.is_ready(Admission::All);
        drop(lanes);
        if is_ready {
            self.arrived.notify_one();
        }
    }

    /// Takes what a turn may take; waits until a turn is worth its while, or for as long as `patience`.
    pub(crate) fn take(&self, patience: Duration, bounds: Bounds) -> Arrivals {
        let mut lanes = self.lock();
        if !patience.is_zero() {
            let admission = bounds.admission;
            lanes = sync::wait(&self.arrived, lanes, patience, |lanes| lanes.is_ready(admission));
        }
        let taken = lanes.take(bounds);
        drop(lanes);
        for (room, permits) in self.room.iter().zip(taken.permits) {
            room.add_permits(permits);
        }
        taken
    }

    /// Free bytes of a lane.
    #[cfg(test)]
    pub(crate) fn free(&self, lane: Lane) -> usize {
        self.room[lane as usize].available_permits()
    }

    /// Since when the log has a batch of ours and finishes none; `None` while it has none.
    pub(crate) fn syncing_since_us(&self) -> Option<u64> {
        let lanes = self.lock();
        (lanes.syncing > 0).then_some(lanes.synced_at_us)
    }

    /// Says whether large events are to wait; those that are refused anyway do not.
    pub(crate) fn hold_large(&self, holds: bool) {
        let holds = holds && !self.room[Lane::Running as usize].is_closed();
        self.holds_large.send_if_modified(|held| std::mem::replace(held, holds) != holds);
    }

    async fn large_may_come(&self) {
        // It fails only when there is no inbox any more, and we have one.
        let _ = self.holds_large.subscribe().wait_for(|held| !held).await;
    }

    /// Says whether there is room for new work.
    pub(crate) fn set_no_room(&self, no_room: bool) {
        self.no_room.store(no_room, Ordering::Relaxed);
    }

    /// Whether new work is refused.
    pub(crate) fn has_no_room(&self) -> bool {
        self.no_room.load(Ordering::Relaxed)
    }

    /// Refuses whoever waits for a place or reads, now and later.
    pub(crate) fn close(&self) {
        self.room.iter().for_each(Semaphore::close);
        self.hold_large(false);
        self.put(Lanes::close);
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        sync::lock(&self.lanes)
    }
}

fn is_large(queued: &Queued) -> bool {
    queued.event.payload_bytes() > LARGE_BYTES
}
