//! The feed of changes: what partitions store, handed on to those who listen.
//!
//! The log's thread only decodes what has changed, and only while somebody listens. A task among
//! SQL's threads keeps the latest changes for all listeners together: the log's thread shares no
//! lock with threads of lower priority, and nobody waits for a listener. One that reads too slowly
//! is told how many changes it has missed.

mod latest;
mod listener;
mod message;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
use std::time::Duration;

use runtime_partition::{DurableBatch, Observer};
use runtime_views::change::Change;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use latest::Latest;

/// Changes on their way to the task, and changes that it keeps, each, in bytes.
const BYTES_MAX: usize = 4 << 20;
/// Batches on their way to the task.
const BATCHES_MAX: usize = 1024;
/// How long the task collects changes before it wakes the listeners, so that a thousand of them do
/// not wake up for each batch.
const COLLECT: Duration = Duration::from_millis(10);
/// Streams of the admin API, each of which takes one of its connections.
const STREAMS_MAX: usize = 64;

/// The feed.
pub(crate) struct Changes {
    listeners: AtomicUsize,
    on_the_way: mpsc::Sender<Vec<Change>>,
    on_the_way_bytes: AtomicUsize,
    /// Changes that found no room on the way, and that the task does not know of yet.
    lost: AtomicU64,
    /// Tells the task of them: nothing else may arrive for a while.
    has_lost: Notify,
    latest: Mutex<Latest>,
    /// Wakes the listeners; ends when the node stops.
    wake: watch::Receiver<()>,
    streams: Arc<Semaphore>,
}

/// The task that keeps the latest changes.
pub(crate) struct Keeper {
    changes: Arc<Changes>,
    arriving: mpsc::Receiver<Vec<Change>>,
    wake: watch::Sender<()>,
}

impl Changes {
    /// A feed, and the task that it needs.
    pub(crate) fn new() -> (Arc<Self>, Keeper) {
        let (on_the_way, arriving) = mpsc::channel(BATCHES_MAX);
        let (wake, woken) = watch::channel(());
        let changes = Arc::new(Self {
            listeners: AtomicUsize::new(0),
            on_the_way,
            on_the_way_bytes: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            has_lost: Notify::new(),
            latest: Mutex::new(Latest::new(BYTES_MAX)),
            wake: woken,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        });
        (Arc::clone(&changes), Keeper { changes, arriving, wake })
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Changes {
    /// A listener counts from before it asks for anything else, so a query that it asks later sees
    /// whatever was applied before it was counted.
    fn is_watching(&self) -> bool {
        self.listeners.load(Ordering::SeqCst) > 0
    }

    fn durable(&self, batch: &DurableBatch<'_>) {
        let rows = batch.changes.iter().map(|change| (&change.key, change.row.as_ref()));
        let changes = Change::of_batch(rows, batch.effects);
        if changes.is_empty() {
            return;
        }
        let (count, bytes) = (changes.len() as u64, bytes(&changes));
        let before = self.on_the_way_bytes.fetch_add(bytes, Ordering::Relaxed);
        let has_room = before + bytes <= BYTES_MAX;
        if !has_room || self.on_the_way.try_send(changes).is_err() {
            self.on_the_way_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.lost.fetch_add(count, Ordering::Relaxed);
            self.has_lost.notify_one();
        }
    }
}

impl Keeper {
    /// Keeps the latest changes until `shutdown` resolves.
    pub(crate) async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let mut batches = Vec::new();
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = self.arriving.recv_many(&mut batches, BATCHES_MAX) => (),
                () = self.changes.has_lost.notified() => (),
            }
            {
                let mut latest = self.changes.latest();
                for changes in batches.drain(..) {
                    self.changes.on_the_way_bytes.fetch_sub(bytes(&changes), Ordering::Relaxed);
                    changes.into_iter().for_each(|change| latest.push(change));
                }
                latest.skip(self.changes.lost.swap(0, Ordering::Relaxed));
            }
            self.wake.send_replace(());
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(COLLECT) => (),
            }
        }
    }
}

fn bytes(changes: &[Change]) -> usize {
    changes.iter().map(Change::bytes).sum()
}

#[cfg(test)]
mod tests;
