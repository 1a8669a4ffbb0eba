//! Which attempts there are, and how many there may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use protocol::{
    ProtocolVersion,
    ids::Derivation,
    journal::{Entry, EntryIndex},
    wire::frame::DEFAULT_MAX_MESSAGE_SIZE_BYTES,
};
use runtime_core::{PartitionId, effect::StartAttempt, event::AttemptRef};
use runtime_partition::{Clock, Partitions};
use runtime_schema::SharedRegistry;
use tokio::{runtime::Handle, sync::mpsc};

use crate::{client::Clients, places::Places, task};

/// Limits of the invoker.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Attempts that may be under way at the same time.
    pub attempts_max: usize,
    /// Newest service protocol to speak.
    pub max_protocol: ProtocolVersion,
    /// How ids of named callees follow from their names.
    pub derivation: Derivation,
    /// Largest message that an SDK may send, in bytes.
    pub message_size_max_bytes: u32,
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
            max_protocol: ProtocolVersion::MAX,
            derivation: Derivation::Plain,
            message_size_max_bytes: DEFAULT_MAX_MESSAGE_SIZE_BYTES,
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
    started: Instant,
    runtime: Handle,
    /// How to reach each attempt that is under way. Unbounded, since a partition cannot wait: what
    /// is in flight is bounded by what the attempt itself has asked for.
    attempts: Mutex<HashMap<(PartitionId, AttemptRef), mpsc::UnboundedSender<Notice>>>,
    places: Places,
}

/// What a partition tells an attempt.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A new entry of its journal.
    Entry { index: EntryIndex, entry: Entry },
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
    ) -> Arc<Self> {
        Arc::new(Self {
            partitions,
            registry,
            clock,
            clients: Clients::new(settings.connect_timeout),
            places: Places::new(settings.attempts_max),
            settings,
            started: Instant::now(),
            runtime: Handle::current(),
            attempts: Mutex::default(),
        })
    }

    /// Starts an attempt; false when there is no room. Does not wait.
    pub fn start_attempt(
        self: &Arc<Self>,
        partition: PartitionId,
        start: Box<StartAttempt>,
    ) -> bool {
        if !self.places.take() {
            return false;
        }
        let name = (partition, start.attempt);
        let (sender, notices) = mpsc::unbounded_channel();
        self.attempts().insert(name, sender);
        let slot = Slot { invoker: Arc::clone(self), name };
        self.runtime.spawn(task::run(slot, start, notices));
        true
    }

    /// Shows an entry to an attempt, if it is under way.
    pub fn send_notification(
        &self,
        partition: PartitionId,
        attempt: AttemptRef,
        index: EntryIndex,
        entry: Entry,
    ) {
        if let Some(sender) = self.attempts().get(&(partition, attempt)) {
            // An attempt that has just ended does not listen; its successor reads the journal.
            let _ = sender.send(Notice::Entry { index, entry });
        }
    }

    /// Breaks an attempt off, if it is under way.
    pub fn abort_attempt(&self, partition: PartitionId, attempt: AttemptRef) {
        if let Some(sender) = self.attempts().get(&(partition, attempt)) {
            let _ = sender.send(Notice::Abort);
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
    pub fn attempt_refused(&self) {
        if self.places.refused() {
            self.partitions.attempts_wanted();
        }
    }

    fn attempts(
        &self,
    ) -> MutexGuard<'_, HashMap<(PartitionId, AttemptRef), mpsc::UnboundedSender<Notice>>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt's place, given back when it is dropped.
pub(crate) struct Slot {
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) name: (PartitionId, AttemptRef),
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.invoker.attempts().remove(&self.name);
        if self.invoker.places.release() {
            self.invoker.partitions.attempts_wanted();
        }
    }
}
