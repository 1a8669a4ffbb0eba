//! What waits for a partition's next turn.
//!
//! Edges are held back when their lane is full. The other lanes can't grow without bound: a peer
//! sends what its rows owe and an acknowledgement replaces the one before, and reads and notices are
//! as many as there are callers and attempts.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime_core::{
    PartitionId,
    event::{AttemptRef, Event},
    tables::Tables,
};
use runtime_store::CheckpointDone;
use tokio::sync::Semaphore;

use crate::Stopped;

/// Events of edges that may wait for one partition. A few turns' worth: enough to keep a turn busy
/// while the disk works, small enough that an overloaded node slows its callers within a second.
const EVENTS_MAX: usize = 8192;

/// So many events are worth a turn of their own while a batch is on its way to disk.
const BATCH_FULL: usize = 512;

/// A look at the rows; it sends its own answer.
pub(crate) type Read = Box<dyn FnOnce(&Tables<'_>) -> Answering + Send>;

/// Sends a read's answer once what it saw is durable.
pub(crate) type Answering = Box<dyn FnOnce() + Send>;

/// Everything that came in since the last turn.
#[derive(Default)]
pub(crate) struct Arrivals {
    /// Messages of other partitions, and acknowledgements of ours: first, since they only finish
    /// what has begun.
    pub(crate) peers: Vec<Event>,
    /// For each other partition the last of our messages that it has on disk.
    pub(crate) acknowledged: BTreeMap<PartitionId, u64>,
    /// What edges propose, in order.
    pub(crate) events: Vec<Event>,
    /// Looks at the rows.
    pub(crate) reads: Vec<Read>,
    /// Attempts that the invoker refused.
    pub(crate) refused: Vec<AttemptRef>,
    /// The invoker has room again.
    pub(crate) attempts_wanted: bool,
    /// A checkpoint is written.
    pub(crate) checkpoint: Option<CheckpointDone>,
    /// The log can't write any more.
    pub(crate) log_failed: bool,
    /// The node stops.
    pub(crate) stop: bool,
    /// Batches of this partition that are on their way to disk.
    pub(crate) syncing: usize,
}

impl Arrivals {
    /// Whether a turn is worth its while. What came in while a batch is on its way to disk shares the
    /// next one: it could not be durable any sooner.
    fn is_ready(&self, events_max: usize) -> bool {
        if self.log_failed || self.stop {
            return true;
        }
        let events = self.events.len().min(events_max);
        if self.syncing > 0 {
            return self.peers.len() + events >= BATCH_FULL;
        }
        events > 0
            || !self.peers.is_empty()
            || !self.acknowledged.is_empty()
            || !self.reads.is_empty()
            || !self.refused.is_empty()
            || self.attempts_wanted
            || self.checkpoint.is_some()
    }
}

pub(crate) struct Inbox {
    arrivals: Mutex<Arrivals>,
    arrived: Condvar,
    /// Free places in the edges' lane.
    places: Semaphore,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            arrivals: Mutex::default(),
            arrived: Condvar::new(),
            places: Semaphore::new(EVENTS_MAX),
        }
    }

    /// Takes places for an edge's events and puts them in, all at once: they share a turn, and so an
    /// fsync. Waits for places.
    pub(crate) async fn push_events(
        &self,
        events: impl ExactSizeIterator<Item = Event>,
    ) -> Result<(), Stopped> {
        // An attempt proposes what one read has brought, far fewer than there are places.
        let count = u32::try_from(events.len().min(EVENTS_MAX)).unwrap_or(u32::MAX);
        match self.places.try_acquire_many(count) {
            Ok(places) => places.forget(),
            Err(_) => self.places.acquire_many(count).await.map_err(|_| Stopped)?.forget(),
        }
        self.put(|arrivals| arrivals.events.extend(events));
        Ok(())
    }

    /// Puts an event in whatever the lane holds: for the simulator, which has no one to hold back.
    pub(crate) fn force_event(&self, event: Event) {
        if let Ok(place) = self.places.try_acquire() {
            place.forget();
        }
        self.put(|arrivals| arrivals.events.push(event));
    }

    pub(crate) fn put(&self, put: impl FnOnce(&mut Arrivals)) {
        let mut arrivals = self.lock();
        put(&mut arrivals);
        let is_ready = arrivals.is_ready(usize::MAX);
        drop(arrivals);
        if is_ready {
            self.arrived.notify_one();
        }
    }

    /// Takes everything there is, at most `events_max` events of edges; waits until a turn is worth
    /// its while, or for as long as `patience`.
    pub(crate) fn take(&self, patience: Duration, events_max: usize) -> Arrivals {
        let mut arrivals = self.lock();
        if !patience.is_zero() {
            arrivals = self
                .arrived
                .wait_timeout_while(arrivals, patience, |arrivals| !arrivals.is_ready(events_max))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let syncing = arrivals.syncing;
        let mut taken = std::mem::take(&mut *arrivals);
        arrivals.syncing = syncing;
        if taken.events.len() > events_max {
            arrivals.events = taken.events.split_off(events_max);
        }
        drop(arrivals);
        self.places.add_permits(taken.events.len());
        taken
    }

    /// Refuses whoever waits for a place, now and later.
    pub(crate) fn close(&self) {
        self.places.close();
        self.put(|arrivals| arrivals.stop = true);
    }

    fn lock(&self) -> MutexGuard<'_, Arrivals> {
        // A panic while the lock is held stops the process anyway.
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
