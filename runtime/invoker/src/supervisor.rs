//! Which attempts there are, and how many there may be.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::{
    DeploymentId,
    journal::{Entry, EntryIndex},
};
use runtime_core::{
    PartitionId, attempt::NodeOptions, effect::StartAttempt, model::ids::AttemptRef,
};
use runtime_partition::{
    Clock, Full, Partitions,
    budget::{Pool, Share},
};
use runtime_schema::SharedRegistry;
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc},
};

use crate::{
    client::Clients,
    places::{Limits, News, Places},
    sockets::Sockets,
    task,
    tls::Tls,
    windows::Windows,
};

/// Limits of the invoker.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Attempts that may be under way at the same time. Those of one service may have four times as many
    /// as are free.
    pub attempts_max: usize,
    /// Bytes of journals and state on their way to attempts, shared in the same way. What is larger goes
    /// alone.
    pub outgoing_bytes_max: usize,
    /// Memory for messages that attempts are sending, those of more than 4 KiB.
    pub incoming: Share,
    /// What applies to each of them.
    pub attempts: NodeOptions,
    /// Connections to endpoints at the same time. Those to one host may have four times as many as are
    /// free.
    pub connections_max: usize,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a response is read after the attempt has ended.
    pub drain_timeout: Duration,
}

impl Default for Settings {
    /// The real server's message size and drain time.
    fn default() -> Self {
        Self {
            attempts_max: 10_000,
            outgoing_bytes_max: 128 << 20,
            incoming: Share::new(64 << 20),
            attempts: NodeOptions::default(),
            connections_max: 10_000,
            connect_timeout: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// Runs attempts.
pub struct Invoker {
    pub(crate) partitions: Partitions,
    pub(crate) registry: SharedRegistry,
    /// The node's clock.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) clients: Clients,
    windows: Windows,
    started: Instant,
    runtime: Handle,
    /// How to reach each attempt that is under way. Unbounded, since a partition cannot wait: what
    /// is in flight is bounded by what the attempt itself has asked for.
    attempts: Mutex<HashMap<Name, Live>>,
    pub(crate) places: Places,
    /// Whether somebody asks attempts that only wait to give way.
    is_reclaiming: AtomicBool,
    /// Whether the node stops: no attempt begins any more.
    is_stopping: AtomicBool,
    /// Tells that the last attempt has ended.
    ended: Notify,
}

/// Of which partition, and which attempt.
type Name = (PartitionId, AttemptRef);

/// An attempt that is under way.
struct Live {
    sender: mpsc::UnboundedSender<Notice>,
    pool: Pool,
    is_single: bool,
    idle_since_ms: IdleSince,
}

/// Since when an attempt has said and heard nothing, in milliseconds of [`Invoker::now_ms`];
/// `u64::MAX` while it can't give way.
pub(crate) type IdleSince = Arc<AtomicU64>;

/// An attempt that waits gives way to one that has no place, after so long: less would suspend what is
/// answered at once.
const IDLE_MS: u64 = 200;
/// So many at a time, those that have waited for longest first.
const GIVE_WAY_MAX: usize = 64;
/// Journals and state below this are not counted: what a connection buffers anyway.
const COUNTED_BYTES_MIN: usize = 4096;

/// What a partition tells an attempt.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A new entry of its journal.
    Entry { index: EntryIndex, entry: Entry },
    /// Others need its place.
    GiveWay,
    /// Nobody listens to it any more.
    Abort,
}

impl Invoker {
    /// An invoker on the current tokio runtime.
    ///
    /// # Panics
    /// When called outside of a tokio runtime.
    pub fn new(
        partitions: Partitions,
        registry: SharedRegistry,
        clock: Arc<dyn Clock>,
        settings: Settings,
        tls: &Tls,
    ) -> Arc<Self> {
        let windows = Windows::default();
        Arc::new(Self {
            partitions,
            registry,
            clock,
            clients: Clients::new(
                settings.connect_timeout,
                tls,
                windows.clone(),
                Sockets::new(settings.connections_max),
            ),
            windows,
            places: Places::new(Limits {
                attempts: settings.attempts_max,
                // The others are for what speaks HTTP/2, and for what is not used just now.
                connections: (settings.connections_max / 8 * 7).max(1),
                bytes: settings.outgoing_bytes_max,
            }),
            is_reclaiming: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            ended: Notify::new(),
            settings,
            started: Instant::now(),
            runtime: Handle::current(),
            attempts: Mutex::default(),
        })
    }

    /// Starts an attempt. Does not wait.
    ///
    /// # Errors
    /// When there is no room: what is full.
    pub fn start_attempt(
        self: &Arc<Self>,
        partition: PartitionId,
        start: Box<StartAttempt>,
    ) -> Result<(), Full> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(Full::All);
        }
        let ((pool, is_single), bytes) = (self.pool_of(&start), bytes_of(&start));
        self.places.take(pool, bytes, is_single)?;
        let name = (partition, start.attempt);
        let (sender, notices) = mpsc::unbounded_channel();
        let idle_since_ms = IdleSince::new(AtomicU64::new(u64::MAX));
        let live = Live { sender, pool, is_single, idle_since_ms: Arc::clone(&idle_since_ms) };
        let under_way = {
            let mut attempts = self.attempts();
            attempts.insert(name, live);
            attempts.len()
        };
        self.windows.fit(under_way);
        let load = Load { invoker: Arc::clone(self), pool, left: bytes };
        let slot = Slot { invoker: Arc::clone(self), name, pool, idle_since_ms, load: Some(load) };
        self.runtime.spawn(task::run(slot, start, notices));
        Ok(())
    }

    /// The pool of an attempt's places: its service in the deployment that it will run on. And whether it
    /// takes a connection of its own there.
    fn pool_of(&self, start: &StartAttempt) -> (Pool, bool) {
        let service = &start.target.service;
        let registry = self.registry.snapshot();
        let Some(stored) = registry.runs_on(start.pin, service) else {
            // It ends as soon as it has begun.
            return (Pool { deployment: DeploymentId(0), service: 0 }, false);
        };
        let deployment = &stored.deployment;
        let at = deployment.services.iter().position(|known| known.name == *service);
        let number = at.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX);
        (Pool { deployment: deployment.id, service: number }, deployment.http1)
    }

    /// Shows an entry to an attempt, if it is under way.
    pub fn send_notification(
        &self,
        partition: PartitionId,
        attempt: AttemptRef,
        index: EntryIndex,
        entry: Entry,
    ) {
        if let Some(live) = self.attempts().get(&(partition, attempt)) {
            // An attempt that has just ended does not listen; its successor reads the journal.
            let _ = live.sender.send(Notice::Entry { index, entry });
        }
    }

    /// Breaks an attempt off, if it is under way.
    pub fn abort_attempt(&self, partition: PartitionId, attempt: AttemptRef) {
        if let Some(live) = self.attempts().get(&(partition, attempt)) {
            let _ = live.sender.send(Notice::Abort);
        }
    }

    /// Begins no more attempts, has those suspend that only wait, and resolves when all have ended. Those
    /// that are at work may take long: whoever stops waiting breaks them off, and they run again.
    pub async fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        for live in self.attempts().values() {
            let _ = live.sender.send(Notice::GiveWay);
        }
        loop {
            let ended = self.ended.notified();
            if self.attempts().is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// The monotonic clock that attempts run by, in milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The time of day, by which SDKs say when: milliseconds since the epoch.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.clock.wall_us() / 1000
    }

    pub(crate) fn instant(&self, at_ms: u64) -> Instant {
        // A far deadline is as good as none: a day is longer than any attempt is idle.
        self.started + Duration::from_millis(at_ms.min(self.now_ms() + 86_400_000))
    }

    /// A partition has noted that it was refused: it hears of room, of that which there is too.
    pub fn attempt_refused(self: &Arc<Self>, full: Full) {
        self.announce(self.places.refused(full));
        if self.places.is_wanted() && !self.is_reclaiming.swap(true, Ordering::Relaxed) {
            self.runtime.spawn(reclaim(Arc::clone(self)));
        }
    }

    fn announce(&self, news: News) {
        for (full, count) in news {
            self.partitions.attempts_wanted(full, count);
        }
    }

    /// Asks attempts that have waited for a while to make room for those that were refused.
    fn ask_to_give_way(&self) {
        let (wanted, now_ms) = (self.places.wanted(), self.now_ms());
        let attempts = self.attempts();
        let mut waiting: Vec<(u64, &Live)> = attempts
            .values()
            .filter(|live| Full::of(live.pool).iter().any(|full| wanted.contains(full)))
            .map(|live| (live.idle_since_ms.load(Ordering::Relaxed), live))
            .filter(|(since_ms, _)| since_ms.saturating_add(IDLE_MS) <= now_ms)
            .collect();
        // There may be many thousands, and others wait for the lock.
        if waiting.len() > GIVE_WAY_MAX {
            waiting.select_nth_unstable_by_key(GIVE_WAY_MAX, |(since_ms, _)| *since_ms);
        }
        for (_, live) in waiting.into_iter().take(GIVE_WAY_MAX) {
            live.idle_since_ms.store(u64::MAX, Ordering::Relaxed);
            let _ = live.sender.send(Notice::GiveWay);
        }
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<Name, Live>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for as long as somebody waits for it: callers may hold all places while what they wait for
/// has none.
async fn reclaim(invoker: Arc<Invoker>) {
    loop {
        tokio::time::sleep(Duration::from_millis(IDLE_MS)).await;
        invoker.ask_to_give_way();
        if invoker.places.is_wanted() {
            continue;
        }
        invoker.is_reclaiming.store(false, Ordering::Relaxed);
        // Somebody may have been refused in between, and left it to us.
        if !invoker.places.is_wanted() || invoker.is_reclaiming.swap(true, Ordering::Relaxed) {
            return;
        }
    }
}

/// Bytes of an attempt's journal and state, as far as they are counted.
fn bytes_of(start: &StartAttempt) -> usize {
    let journal = start.journal.iter().map(|entry| entry.body.len());
    let state = start.state.iter().map(|(key, value)| key.len() + value.len());
    let bytes = journal.chain(state).sum();
    if bytes < COUNTED_BYTES_MIN { 0 } else { bytes }
}

/// An attempt's place, given back when it is dropped.
pub(crate) struct Slot {
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) name: Name,
    /// Of places, and of memory.
    pub(crate) pool: Pool,
    pub(crate) idle_since_ms: IdleSince,
    load: Option<Load>,
}

impl Slot {
    /// Notes since when the attempt says and hears nothing, if it can give way.
    pub(crate) fn note_idle(&self, since_ms: Option<u64>) {
        self.idle_since_ms.store(since_ms.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What is to be sent to the attempt, and has to be until that is done. Call it once.
    pub(crate) fn take_load(&mut self) -> Option<Load> {
        self.load.take()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (live, under_way) = {
            let mut attempts = self.invoker.attempts();
            (attempts.remove(&self.name), attempts.len())
        };
        self.invoker.windows.fit(under_way);
        if under_way == 0 {
            self.invoker.ended.notify_waiters();
        }
        if let Some(Live { pool, is_single, .. }) = live {
            self.invoker.announce(self.invoker.places.release(pool, is_single));
        }
    }
}

/// Bytes that wait to be sent to an attempt, given back as they go.
pub(crate) struct Load {
    invoker: Arc<Invoker>,
    pool: Pool,
    left: usize,
}

impl Load {
    /// So many bytes have been handed to the connection.
    pub(crate) fn sent(&mut self, bytes: usize) {
        let bytes = bytes.min(self.left);
        if bytes > 0 {
            self.left -= bytes;
            self.invoker.announce(self.invoker.places.sent(self.pool, bytes));
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.sent(self.left);
    }
}
