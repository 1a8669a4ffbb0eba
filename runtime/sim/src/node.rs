//! The runtime on simulated media: what is kept across a crash, and what is not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{
    ids::Derivation,
    journal::{Entry, EntryIndex},
};
use runtime_core::{
    PartitionId,
    effect::StartAttempt,
    event::{AttemptRef, Event},
    tables::{Tables, deployment::StoredDeployment},
};
use runtime_log::{Batch, Done, Log, ManualLog, Records, sim_disk::SimDisk};
use runtime_partition::{
    Edges, Node, Partitions, Settings, StartError,
    checkpoint::{Checkpoints, OnDone},
    driver::Turn,
    node::Parts,
};
use runtime_store::{Checkpoint, Store, sim_backend::SimBackend};

use crate::{clock::SimClock, random::Random, world::Sabotage};

/// What a crash leaves.
#[derive(Debug, Clone, Default)]
pub struct Media {
    disk: SimDisk,
    backends: Vec<SimBackend>,
}

/// What the partitions want from the edges.
#[derive(Debug)]
pub enum Wish {
    /// Start an attempt.
    Start(PartitionId, Box<StartAttempt>),
    /// Show an entry to an attempt.
    Notify(PartitionId, AttemptRef, EntryIndex, Entry),
    /// Break an attempt off.
    Abort(PartitionId, AttemptRef),
}

/// A node that runs.
pub struct SimNode {
    node: Node,
    media: Media,
    log: Arc<ManualLog<SimDisk>>,
    edges: Arc<SimEdges>,
    checkpoints: Arc<SimCheckpoints>,
}

#[derive(Default)]
struct SimEdges {
    wishes: Mutex<VecDeque<Wish>>,
    /// The registry's rows, if they have changed since they were last asked for.
    registry: Mutex<Option<Vec<StoredDeployment>>>,
    /// Attempts that may still be started before one is refused.
    room: Mutex<usize>,
}

#[derive(Default)]
struct SimCheckpoints(Mutex<VecDeque<(Checkpoint, OnDone)>>);

/// A log that says "durable" before it is.
struct EagerLog(Arc<ManualLog<SimDisk>>);

impl Log for EagerLog {
    fn append(&self, batch: Batch, done: Done) {
        self.0.append(batch, Box::new(|_| ()));
        done(Ok(()));
    }

    fn read(&self, partition: runtime_log::PartitionId, from: runtime_log::Lsn) -> Records<'_> {
        self.0.read(partition, from)
    }

    fn last_lsn(&self, partition: runtime_log::PartitionId) -> runtime_log::Lsn {
        self.0.last_lsn(partition)
    }

    fn oldest(&self, partition: runtime_log::PartitionId) -> runtime_log::Lsn {
        self.0.oldest(partition)
    }

    fn trim(&self, partition: runtime_log::PartitionId, upto: runtime_log::Lsn) {
        self.0.trim(partition, upto);
    }

    fn is_short(&self) -> bool {
        self.0.is_short()
    }

    fn room_bytes(&self) -> u64 {
        self.0.room_bytes()
    }
}

impl Media {
    /// Empty media for so many partitions.
    pub fn new(partitions: usize) -> Self {
        let backends = (0..partitions).map(|_| SimBackend::default()).collect();
        Self { disk: SimDisk::default(), backends }
    }
}

impl SimNode {
    /// Recovers a node from its media.
    ///
    /// # Errors
    /// When it cannot be recovered: in a simulation that is always a fault.
    pub fn recover(
        media: Media,
        clock: &Arc<SimClock>,
        sabotage: Option<Sabotage>,
    ) -> Result<Self, String> {
        let count = u16::try_from(media.backends.len()).unwrap_or(1);
        let open = |error: &dyn std::fmt::Display| format!("recovery: {error}");
        let log = ManualLog::open(media.disk.clone(), 4096).map_err(|error| open(&error))?;
        let log = Arc::new(log);
        let stores = (0..count)
            .zip(&media.backends)
            .map(|(id, backend)| Store::open_backend(backend.clone(), id, count))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| open(&error))?;
        let edges = Arc::new(SimEdges { room: Mutex::new(8), ..SimEdges::default() });
        let checkpoints = Arc::new(SimCheckpoints::default());
        let for_drivers: Arc<dyn Log> = match sabotage {
            Some(Sabotage::EffectsBeforeFsync) => Arc::new(EagerLog(Arc::clone(&log))),
            Some(Sabotage::NoFencing | Sabotage::NoDedup) | None => Arc::clone(&log) as _,
        };
        let parts = Parts {
            stores,
            log: for_drivers,
            clock: Arc::clone(clock) as _,
            derivation: Derivation::Plain,
            checkpoints: Arc::clone(&checkpoints) as _,
            settings: Settings {
                // A few rows are not little here.
                checkpoint_interval: Duration::from_millis(40),
                overlay_bytes_max: 16 * 1024,
                batch_records_max: 5,
                timers_max: 3,
                starts_max: 2,
                ..Settings::default()
            },
        };
        let given = Arc::clone(&edges);
        let node = Node::recover(parts, |_| given).map_err(|error: StartError| open(&error))?;
        Ok(Self { node, media, log, edges, checkpoints })
    }

    /// How to reach the partitions.
    pub fn partitions(&self) -> &Partitions {
        self.node.partitions()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.media.backends.len()
    }

    /// Lets a partition take a turn; whether it did anything.
    pub fn turn(&mut self, partition: usize) -> bool {
        matches!(self.node.drivers_mut()[partition].turn(Duration::ZERO), Turn::Worked { .. })
    }

    /// When a partition has something to do by itself.
    pub fn next_wake_up_ms(&mut self, partition: usize) -> Option<u64> {
        match self.node.drivers_mut()[partition].turn(Duration::ZERO) {
            Turn::Worked { until } | Turn::Idle { until } => until.map(|until| until.0),
            Turn::Stopped => None,
        }
    }

    /// Whether the log has something to commit.
    pub fn has_pending(&self) -> bool {
        self.log.has_pending()
    }

    /// Commits the log; false when there was nothing to commit.
    pub fn commit(&self) -> bool {
        let has_pending = self.log.has_pending();
        if has_pending {
            self.log.commit();
        }
        has_pending
    }

    /// Seals the log, as an idle one does.
    pub fn seal(&self) {
        // The disk of this simulation refuses nothing.
        let _ = self.log.seal();
    }

    /// Writes a checkpoint that is waiting; false when there is none.
    pub fn checkpoint(&self) -> bool {
        let job = lock(&self.checkpoints.0).pop_front();
        match job {
            Some((job, done)) => {
                done(job.run());
                true
            }
            None => false,
        }
    }

    /// What the partitions want, oldest first.
    pub fn wish(&self) -> Option<Wish> {
        lock(&self.edges.wishes).pop_front()
    }

    /// The registry's rows, if they have changed since they were last asked for.
    pub fn registry(&self) -> Option<Vec<StoredDeployment>> {
        lock(&self.edges.registry).take()
    }

    /// Says how many more attempts there is room for.
    pub fn make_room(&self, attempts: usize) {
        *lock(&self.edges.room) = attempts;
        self.partitions().attempts_wanted();
    }

    /// Reads the rows of a partition as they are in memory.
    pub fn tables<T>(&mut self, partition: usize, look: impl FnOnce(&Tables<'_>) -> T) -> T {
        self.node.drivers_mut()[partition].tables(look)
    }

    /// Changes what partitions have sent each other and not yet taken.
    pub fn tamper_peers(&mut self, mut change: impl FnMut(&mut Self, usize, &mut Event)) {
        for partition in 0..self.count() {
            let mut events = self.partitions().take_peer_events(partition);
            for event in &mut events {
                change(self, partition, event);
            }
            self.partitions().put_peer_events(partition, events);
        }
    }

    /// What is left when everything stops at once.
    pub fn crash(self, random: &mut Random) -> Media {
        let mut choose = |bound| random.below(bound);
        let disk = self.media.disk.crash(&mut choose);
        let backends = self.media.backends.iter().map(|backend| backend.crash(&mut choose));
        Media { disk, backends: backends.collect() }
    }
}

impl Edges for SimEdges {
    fn start_attempt(&self, partition: PartitionId, start: Box<StartAttempt>) -> bool {
        let mut room = lock(&self.room);
        if *room == 0 {
            return false;
        }
        *room -= 1;
        lock(&self.wishes).push_back(Wish::Start(partition, start));
        true
    }

    fn attempt_refused(&self) {}

    fn send_notification(
        &self,
        partition: PartitionId,
        attempt: AttemptRef,
        index: EntryIndex,
        entry: Entry,
    ) {
        lock(&self.wishes).push_back(Wish::Notify(partition, attempt, index, entry));
    }

    fn abort_attempt(&self, partition: PartitionId, attempt: AttemptRef) {
        lock(&self.wishes).push_back(Wish::Abort(partition, attempt));
    }

    fn publish_registry(&self, deployments: Vec<StoredDeployment>) {
        *lock(&self.registry) = Some(deployments);
    }
}

impl Checkpoints for SimCheckpoints {
    fn run(&self, job: Checkpoint, done: OnDone) {
        lock(&self.0).push_back((job, done));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
