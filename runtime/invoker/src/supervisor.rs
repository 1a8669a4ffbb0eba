//! The attempts in progress, and admission of new ones.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::{
    DeploymentId,
    journal::{Entry, EntryIndex},
};
use runtime_core::{
    PartitionId,
    attempt::{Attempt, NodeOptions},
    effect::StartAttempt,
    model::{ids::AttemptRef, invocation::Pin},
};
use runtime_partition::{
    Clock, Full, Partitions,
    budget::{Pool, Share},
};
use runtime_schema::SharedRegistry;
use runtime_views::why::{self, AttemptState, Attempts};
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc},
};

use crate::{
    connector::Connector,
    limiter::{Limiter, Limits, News},
    sockets::Sockets,
    task,
    tls::Tls,
    unsent::{Load, Unsent},
    windows::Windows,
};

/// Limits of the invoker.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Maximum number of concurrent attempts. Those of one deployment may take up to four times
    /// as many as they leave free, and those of one of its services four fifths of that.
    pub attempts_max: usize,
    /// Maximum bytes of journals and state waiting to be sent to attempts, shared in the same way.
    /// Anything larger is sent on its own.
    pub outgoing_bytes_max: usize,
    /// Memory for messages larger than 4 KiB that attempts are sending.
    pub incoming: Share,
    /// Options of each attempt.
    pub attempts: NodeOptions,
    /// Maximum number of connections to endpoints. Those to one host may take up to four times as
    /// many as they leave free.
    pub connections_max: usize,
    /// Maximum time to establish a connection.
    pub connect_timeout: Duration,
    /// How long to continue reading a response after the attempt has ended.
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

/// Runs attempts: HTTP requests to endpoints, on behalf of the partitions.
pub struct Invoker {
    pub(crate) partitions: Partitions,
    pub(crate) registry: SharedRegistry,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) connector: Connector,
    windows: Windows,
    started: Instant,
    runtime: Handle,
    /// How to reach each attempt in progress. The channels are unbounded, since a partition cannot
    /// wait; what they may hold is bounded ([`Unsent`]).
    attempts: Mutex<HashMap<Name, Live>>,
    pub(crate) limiter: Limiter,
    /// Whether a task is asking idle attempts to yield their permits.
    is_reclaiming: AtomicBool,
    /// Whether the node is shutting down, so that no more attempts may start.
    is_stopping: AtomicBool,
    /// Notified when the last attempt has ended.
    ended: Notify,
}

/// Identifies an attempt within the node.
type Name = (PartitionId, AttemptRef);

/// An attempt in progress.
struct Live {
    sender: mpsc::UnboundedSender<Notice>,
    pool: Pool,
    is_single: bool,
    idle_since_ms: At,
    aborted_at_ms: At,
    wanted_bytes: WantedBytes,
    /// Bytes of small entries that it has not been sent yet.
    small_bytes: Arc<AtomicUsize>,
}

/// A moment in milliseconds of [`Invoker::now_ms`]; `u64::MAX` if there is none.
type At = Arc<AtomicU64>;

/// The size of the message for which an attempt waits for memory, in bytes; 0 if it does not.
pub(crate) type WantedBytes = Arc<AtomicUsize>;

/// How long an attempt has to be idle before it is asked to yield its permit to one that has none:
/// with less, attempts would suspend over replies that arrive immediately.
const IDLE_MS: u64 = 200;
/// How many are asked at a time, longest idle first.
const GIVE_WAY_MAX: usize = 64;
/// Journals, state and entries smaller than this do not count against the budget: connections
/// buffer that much anyway.
const COUNTED_BYTES_MIN: usize = 4096;

/// Messages from a partition to an attempt.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A new entry was added to its journal.
    Entry { index: EntryIndex, entry: Entry, unsent: Unsent },
    /// Another attempt needs its permit, or there is no memory for what it would be sent next.
    Yield,
    /// Its invocation is to be paused.
    Suspend,
    /// The partition no longer wants its output.
    Abort,
}

impl Invoker {
    /// Creates an invoker that runs on the current tokio runtime.
    ///
    /// # Panics
    /// Panics if called outside of a tokio runtime.
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
            connector: Connector::new(
                settings.connect_timeout,
                tls,
                windows.clone(),
                Sockets::new(settings.connections_max),
            ),
            windows,
            limiter: Limiter::new(Limits {
                attempts: settings.attempts_max,
                // The rest are for HTTP/2 connections, and for idle ones.
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

    /// Whether an attempt of a service with a journal of this many bytes could be started now.
    ///
    /// # Errors
    /// Returns the limit that is exhausted.
    pub fn may_start(&self, service: &str, pin: Option<Pin>, bytes: usize) -> Result<(), Full> {
        let (pool, is_single) = self.pool_of(service, pin);
        self.limiter.check(pool, counted_bytes(bytes), is_single)
    }

    /// Starts an attempt without waiting for it.
    ///
    /// # Errors
    /// Returns the limit that is exhausted.
    pub fn start_attempt(
        self: &Arc<Self>,
        partition: PartitionId,
        start: Box<StartAttempt>,
    ) -> Result<(), Full> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(Full::All);
        }
        let (pool, is_single) = self.pool_of(&start.target.service, start.pin);
        let bytes = counted_bytes(start.bytes());
        self.limiter.take(pool, bytes, is_single)?;
        let name = (partition, start.attempt);
        let (sender, notices) = mpsc::unbounded_channel();
        let at = || At::new(AtomicU64::new(u64::MAX));
        let (idle_since_ms, aborted_at_ms) = (at(), at());
        let wanted_bytes = WantedBytes::default();
        let live = Live {
            sender,
            pool,
            is_single,
            idle_since_ms: Arc::clone(&idle_since_ms),
            aborted_at_ms: Arc::clone(&aborted_at_ms),
            wanted_bytes: Arc::clone(&wanted_bytes),
            small_bytes: Arc::default(),
        };
        let under_way = {
            let mut attempts = self.attempts();
            attempts.insert(name, live);
            attempts.len()
        };
        self.windows.fit(under_way);
        let load = Load::of(self, pool, bytes);
        let invoker = Arc::clone(self);
        let load = Some(load);
        let permit =
            Permit { invoker, name, pool, idle_since_ms, aborted_at_ms, wanted_bytes, load };
        self.runtime.spawn(task::run(permit, start, notices));
        Ok(())
    }

    /// The pool of an attempt's permit: its service, in the deployment that it will run on. Also
    /// returns whether the attempt needs a connection of its own.
    fn pool_of(&self, service: &str, pin: Option<Pin>) -> (Pool, bool) {
        let registry = self.registry.snapshot();
        let Some(stored) = registry.runs_on(pin, service) else {
            // It ends as soon as it has started.
            return (Pool { deployment: DeploymentId(0), service: 0 }, false);
        };
        let deployment = &stored.deployment;
        let at = deployment.services.iter().position(|known| known.name == service);
        let number = at.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX);
        (Pool { deployment: deployment.id, service: number }, deployment.http1)
    }

    /// Passes a journal entry to an attempt, if it is in progress. If there is no memory for it, the
    /// attempt is asked to suspend: the next one finds the entry in its journal, and starts when
    /// there is memory for that.
    pub fn send_notification(
        self: &Arc<Self>,
        partition: PartitionId,
        attempt: AttemptRef,
        index: EntryIndex,
        entry: Entry,
    ) {
        let attempts = self.attempts();
        let Some(Live { sender, pool, small_bytes, .. }) = attempts.get(&(partition, attempt))
        else {
            return;
        };
        let bytes = entry.body.len();
        let unsent = if bytes < COUNTED_BYTES_MIN {
            Unsent::small(small_bytes, bytes)
        } else {
            let is_taken = self.limiter.take_bytes(*pool, bytes);
            is_taken.then(|| Unsent::Large { _load: Load::of(self, *pool, bytes) })
        };
        let notice = match unsent {
            Some(unsent) => Notice::Entry { index, entry, unsent },
            None => Notice::Yield,
        };
        // An attempt that has just ended no longer listens; the next one reads the entry from the
        // journal.
        let unheard = sender.send(notice).err();
        drop(attempts);
        drop(unheard);
    }

    /// Aborts an attempt, if it is in progress.
    pub fn abort_attempt(&self, partition: PartitionId, attempt: AttemptRef) {
        if let Some(live) = self.attempts().get(&(partition, attempt)) {
            let _ = live.sender.send(Notice::Abort);
        }
    }

    /// Asks an attempt to suspend as soon as it can, if it is in progress.
    pub fn suspend_attempt(&self, partition: PartitionId, attempt: AttemptRef) {
        if let Some(live) = self.attempts().get(&(partition, attempt)) {
            let _ = live.sender.send(Notice::Suspend);
        }
    }

    /// Stops starting attempts, asks the idle ones to suspend, and resolves once all have ended.
    /// Attempts that are busy may take long: a caller that stops waiting cuts them off, and they
    /// run again.
    pub async fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        for live in self.attempts().values() {
            let _ = live.sender.send(Notice::Yield);
        }
        loop {
            let ended = self.ended.notified();
            if self.attempts().is_empty() {
                return;
            }
            ended.await;
        }
    }

    /// The monotonic clock of attempts, in milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Wall-clock time in milliseconds since the epoch, which SDKs use for absolute times.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.clock.wall_us() / 1000
    }

    pub(crate) fn instant(&self, at_ms: u64) -> Instant {
        // A distant deadline might overflow, so cap it at a day, which is longer than any attempt
        // is idle.
        self.started + Duration::from_millis(at_ms.min(self.now_ms() + 86_400_000))
    }

    /// Handles a partition's note of a refusal: capacity will be announced to it, including any
    /// already free.
    pub fn attempt_refused(self: &Arc<Self>, full: Full) {
        self.announce(self.limiter.refused(full));
        if self.limiter.is_wanted() && !self.is_reclaiming.swap(true, Ordering::Relaxed) {
            self.runtime.spawn(reclaim(Arc::clone(self)));
        }
    }

    pub(crate) fn announce(&self, news: News) {
        for (full, count) in news {
            self.partitions.attempts_wanted(full, count);
        }
    }

    /// Asks attempts that have been idle for a while to yield their permits to those that were
    /// refused.
    fn ask_to_give_way(&self) {
        let (wanted, now_ms) = (self.limiter.wanted(), self.now_ms());
        let attempts = self.attempts();
        let mut waiting: Vec<(u64, &Live)> = attempts
            .values()
            .filter(|live| Full::of(live.pool).iter().any(|full| wanted.contains(full)))
            .map(|live| (live.idle_since_ms.load(Ordering::Relaxed), live))
            .filter(|(since_ms, _)| since_ms.saturating_add(IDLE_MS) <= now_ms)
            .collect();
        // There may be thousands, and other tasks wait for the lock.
        if waiting.len() > GIVE_WAY_MAX {
            waiting.select_nth_unstable_by_key(GIVE_WAY_MAX, |(since_ms, _)| *since_ms);
        }
        for (_, live) in waiting.into_iter().take(GIVE_WAY_MAX) {
            live.idle_since_ms.store(u64::MAX, Ordering::Relaxed);
            let _ = live.sender.send(Notice::Yield);
        }
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<Name, Live>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts for Invoker {
    fn state(&self, partition: PartitionId, attempt: &why::Attempt) -> AttemptState {
        if let Some(live) = self.attempts().get(&(partition, attempt.name)) {
            let (now_ms, at) = (self.now_ms(), |at: &At| at.load(Ordering::Relaxed));
            let aborted_at_ms = Some(at(&live.aborted_at_ms)).filter(|at_ms| *at_ms < u64::MAX);
            let wanted_bytes = live.wanted_bytes.load(Ordering::Relaxed);
            return AttemptState::UnderWay {
                idle_ms: now_ms.checked_sub(at(&live.idle_since_ms)),
                aborted_in_ms: aborted_at_ms.map(|at_ms| at_ms.saturating_sub(now_ms)),
                memory_bytes: (wanted_bytes > 0).then_some(wanted_bytes),
                is_held: self.partitions.is_disk_full(partition),
            };
        }
        let (pool, _) = self.pool_of(&attempt.service, attempt.pin);
        let lack = self.limiter.lack(pool, counted_bytes(attempt.journal_bytes));
        AttemptState::NotStarted { lack, is_certain: false }
    }

    fn deployment(&self, partition: PartitionId, attempt: AttemptRef) -> Option<DeploymentId> {
        self.attempts().get(&(partition, attempt)).map(|live| live.pool.deployment)
    }
}

/// Reclaims permits for as long as attempts wait for one: callers may hold all permits while their
/// callees have none.
async fn reclaim(invoker: Arc<Invoker>) {
    loop {
        tokio::time::sleep(Duration::from_millis(IDLE_MS)).await;
        invoker.ask_to_give_way();
        if invoker.limiter.is_wanted() {
            continue;
        }
        invoker.is_reclaiming.store(false, Ordering::Relaxed);
        // An attempt may have been refused in between and have relied on this task.
        if !invoker.limiter.is_wanted() || invoker.is_reclaiming.swap(true, Ordering::Relaxed) {
            return;
        }
    }
}

/// How much a journal and state of this many bytes count for.
fn counted_bytes(bytes: usize) -> usize {
    if bytes < COUNTED_BYTES_MIN { 0 } else { bytes }
}

/// An attempt's concurrency permit, given back when it is dropped.
pub(crate) struct Permit {
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) name: Name,
    /// The pool of its permit and of its memory.
    pub(crate) pool: Pool,
    idle_since_ms: At,
    aborted_at_ms: At,
    wanted_bytes: WantedBytes,
    load: Option<Load>,
}

impl Permit {
    /// Notes since when the attempt has been idle, if it can yield its permit, and when it will be
    /// aborted, if it cannot be asked for anything any more.
    pub(crate) fn note(&self, attempt: &Attempt) {
        let set = |at: &At, ms: Option<u64>| at.store(ms.unwrap_or(u64::MAX), Ordering::Relaxed);
        set(&self.idle_since_ms, attempt.idle_since_ms());
        set(&self.aborted_at_ms, attempt.aborted_at_ms());
    }

    /// Sets for how many bytes of memory the attempt waits, if it does.
    pub(crate) fn note_wanted(&self, bytes: Option<usize>) {
        self.wanted_bytes.store(bytes.unwrap_or_default(), Ordering::Relaxed);
    }

    /// The bytes to be sent to the attempt, which stay counted until they are. Call it once.
    pub(crate) fn take_load(&mut self) -> Option<Load> {
        self.load.take()
    }
}

impl Drop for Permit {
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
            self.invoker.announce(self.invoker.limiter.release(pool, is_single));
        }
    }
}
