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
    Stopped, budget,
    lanes::{Admission, Arrivals, Bounds, Lane, Lanes, Queued, weight},
    sync::{self, Condvar, Mutex, MutexGuard},
};

/// Bytes of one lane's events of one size that may wait for one partition, each event counted with
/// [`crate::lanes::EVENT_BYTES`] beside its payload: some one thousand small ones, and a large message
/// alone. Enough to keep a turn busy while the disk works, and little enough for a slow disk: whoever calls
/// waits for a few such batches.
const LANE_BYTES_MAX: u32 = 8 << 20;

/// A payload of this size never has to leave room for others of its size while the tables can't be written
/// as fast as events come in: whoever has little to say need not wait for that.
pub(crate) const PAYLOAD_BYTES_MIN: usize = 16 << 10;

pub(crate) struct Inbox {
    lanes: Mutex<Lanes>,
    arrived: Condvar,
    /// Free bytes of each lane, by size.
    room: [[Semaphore; budget::SIZES.len()]; Lane::COUNT],
    /// Whether the disk has none for new work.
    no_room: AtomicBool,
    /// Events with a larger payload wait before they come in.
    payload_bytes_max: watch::Sender<usize>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        let room = |_| Semaphore::new(LANE_BYTES_MAX as usize);
        Self {
            lanes: Mutex::new(Lanes::default()),
            arrived: Condvar::new(),
            room: std::array::from_fn(|_| std::array::from_fn(room)),
            no_room: AtomicBool::new(false),
            payload_bytes_max: watch::Sender::new(usize::MAX),
        }
    }

    /// Takes permits for an edge's events and puts them in, all at once: they share a turn, and so an
    /// fsync. Waits for permits; what is larger than a lane waits until it is alone there.
    pub(crate) async fn push_events(&self, events: Vec<Event>) -> Result<(), Stopped> {
        let Some(lane) = events.first().map(Lane::of) else { return Ok(()) };
        let payload_bytes = events.iter().map(Event::payload_bytes).max().unwrap_or_default();
        let size = budget::size_of(payload_bytes);
        let mut left = LANE_BYTES_MAX;
        let mut queued = Vec::with_capacity(events.len());
        for event in events {
            assert!(Lane::of(&event) == lane, "events put in together are of one lane: {lane:?}");
            let permits = u32::try_from(weight(&event)).map_or(left, |weight| weight.min(left));
            left -= permits;
            queued.push(Queued { event, size, permits });
        }
        // Here, since behind it events keep their order.
        if lane != Lane::Control && payload_bytes > PAYLOAD_BYTES_MIN {
            self.may_come(payload_bytes).await;
        }
        let room = &self.room[lane as usize][size];
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

    #[cfg(any(test, feature = "simulation"))]
    /// Puts an event in whatever the lane holds: for the simulator, which has no one to hold back.
    pub(crate) fn force_event(&self, event: Event) {
        let size = budget::size_of(event.payload_bytes());
        self.put(|lanes| lanes.push_event(Queued { event, size, permits: 0 }));
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
        let room = self.room.iter().flatten();
        for (room, permits) in room.zip(taken.permits.into_iter().flatten()) {
            room.add_permits(permits);
            let free = room.available_permits();
            assert!(
                permits == 0 || free <= LANE_BYTES_MAX as usize,
                "{permits} bytes are given back to a lane, which has {free} of {LANE_BYTES_MAX} then"
            );
        }
        taken
    }

    /// Free bytes of a lane for what has some size.
    #[cfg(test)]
    pub(crate) fn free(&self, lane: Lane, size: usize) -> usize {
        self.room[lane as usize][size].available_permits()
    }

    /// Since when the log has a batch of ours and finishes none; `None` while it has none.
    pub(crate) fn syncing_since_us(&self) -> Option<u64> {
        let lanes = self.lock();
        (lanes.syncing > 0).then_some(lanes.synced_at_us)
    }

    /// Says how large payloads may be that come in; those that are refused anyway may.
    pub(crate) fn let_in(&self, payload_bytes_max: usize) {
        let is_closed = self.room.iter().flatten().any(Semaphore::is_closed);
        let max = if is_closed { usize::MAX } else { payload_bytes_max };
        self.payload_bytes_max.send_if_modified(|now| std::mem::replace(now, max) != max);
    }

    async fn may_come(&self, payload_bytes: usize) {
        // It fails only when there is no inbox any more, and we have one.
        let _ = self.payload_bytes_max.subscribe().wait_for(|max| payload_bytes <= *max).await;
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
        self.room.iter().flatten().for_each(Semaphore::close);
        self.let_in(usize::MAX);
        self.put(Lanes::close);
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        sync::lock(&self.lanes)
    }
}
