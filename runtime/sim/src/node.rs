//! The runtime on simulated media: what is kept across a crash, and what is not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use protocol::{
    ids::Derivation,
    journal::{Entry, EntryIndex},
};
use runtime_core::{
    PartitionId,
    effect::StartAttempt,
    event::Event,
    model::{deployment::StoredDeployment, ids::AttemptRef},
    tables::Tables,
};
use runtime_log::{Log, ManualLog, Options, Owner};
use runtime_partition::{
    Edges, Full, Node, Partitions, Settings, StartError,
    checkpoint::{Checkpoints, OnDone},
    driver::Turn,
    node::Parts,
};
use runtime_store::{Checkpoint, Store};

use crate::{
    clock::SimClock,
    limits::Sabotage,
    media::TrickedDisk,
    random::Random,
    sabotage,
    stats::{Fault, Stats},
};

pub use crate::media::Media;

/// Segments of a few commits, so that they come and go all the time; and a reserve for what partitions
/// have applied when the disk is found full.
const LOG: Options = Options {
    owner: Owner { directory: 0, partitions: 0 },
    segment_bytes: 4096,
    reserve_bytes: RESERVE_BYTES,
    step_bytes: 4096,
};

/// Several turns of all partitions.
pub(crate) const RESERVE_BYTES: u64 = 64 << 10;

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
    log: Arc<ManualLog<TrickedDisk>>,
    edges: Arc<SimEdges>,
    checkpoints: Arc<SimCheckpoints>,
    has_stopped: bool,
}

#[derive(Default)]
struct SimEdges {
    wishes: Mutex<VecDeque<Wish>>,
    /// The registry's rows, if they have changed since they were last asked for.
    registry: Mutex<Option<Vec<StoredDeployment>>>,
    room: Mutex<Room>,
    partitions: OnceLock<Partitions>,
}

/// Places for attempts, as the invoker's supervisor counts them.
#[derive(Debug, Default)]
struct Room {
    places: usize,
    /// A partition waits to hear of room.
    is_wanted: bool,
    offered: u64,
    refused: u64,
}

#[derive(Default)]
struct SimCheckpoints(Mutex<VecDeque<(Checkpoint, OnDone)>>);

/// Limits under which a few rows are not little.
pub fn small_settings() -> Settings {
    Settings {
        checkpoint_interval: Duration::from_millis(40),
        overlay_bytes_max: 16 * 1024,
        batch_records_max: 5,
        timers_max: 3,
        starts_max: 2,
        ..Settings::default()
    }
}

impl SimNode {
    /// Recovers a node from its media, with [`small_settings`].
    ///
    /// # Errors
    /// When it cannot be recovered: in a simulation that is always a fault.
    pub fn recover(
        media: Media,
        clock: &Arc<SimClock>,
        sabotage: Option<Sabotage>,
    ) -> Result<Self, String> {
        Self::recover_with(media, clock, small_settings(), sabotage)
    }

    /// The same with settings.
    ///
    /// # Errors
    /// When it cannot be recovered.
    pub fn recover_with(
        media: Media,
        clock: &Arc<SimClock>,
        settings: Settings,
        sabotage: Option<Sabotage>,
    ) -> Result<Self, String> {
        let count = u16::try_from(media.backends.len()).unwrap_or(1);
        let open = |error: &dyn std::fmt::Display| format!("recovery: {error}");
        let is_recovering = !media.is_new();
        media.set_deaf(is_recovering && sabotage == Some(Sabotage::RecoveryWithoutSync));
        let log = ManualLog::open(media.disk.clone(), LOG);
        media.set_deaf(false);
        let log = Arc::new(log.map_err(|error| open(&error))?);
        let stores = (0..count)
            .zip(&media.backends)
            .map(|(id, backend)| Store::open_backend(backend.clone(), id, count))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| open(&error))?;
        let room = Mutex::new(Room { places: 8, ..Room::default() });
        let edges = Arc::new(SimEdges { room, ..SimEdges::default() });
        let checkpoints = Arc::new(SimCheckpoints::default());
        let parts = Parts {
            stores,
            log: sabotage::log(Arc::clone(&log) as Arc<dyn Log>, sabotage),
            clock: Arc::clone(clock) as _,
            derivation: Derivation::Plain,
            checkpoints: Arc::clone(&checkpoints) as _,
            settings,
        };
        let given = Arc::clone(&edges);
        let node = Node::recover(parts, |partitions| {
            // INVARIANT: it is set here and nowhere else.
            let _ = given.partitions.set(partitions);
            given
        });
        let node = node.map_err(|error: StartError| open(&error))?;
        Ok(Self { node, media, log, edges, checkpoints, has_stopped: false })
    }

    /// How to reach the partitions.
    pub fn partitions(&self) -> &Partitions {
        self.node.partitions()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.media.backends.len()
    }

    /// What it stands on.
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// Lets a partition take a turn; whether it did anything.
    pub fn turn(&mut self, partition: usize) -> bool {
        let turn = self.node.drivers_mut()[partition].turn(Duration::ZERO);
        self.has_stopped |= turn == Turn::Failed;
        matches!(turn, Turn::Worked { .. })
    }

    /// Whether a partition has stopped: the log could not be written.
    pub fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    /// Whether a partition holds events of edges back until its overlay has shrunk; and whether there
    /// is one to hold back.
    pub fn holds_back(&mut self, partition: usize) -> (bool, bool) {
        let is_overloaded = self.node.drivers_mut()[partition].is_overloaded();
        (is_overloaded, self.partitions().waiting_events(partition) > 0)
    }

    /// When a partition has something to do by itself.
    pub fn next_wake_up_ms(&mut self, partition: usize) -> Option<u64> {
        match self.node.drivers_mut()[partition].turn(Duration::ZERO) {
            Turn::Worked { until } | Turn::Idle { until } => until.map(|until| until.0),
            Turn::Stopped | Turn::Failed => {
                self.has_stopped = true;
                None
            }
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
        // Who appends next hears of a refusal.
        let _ = self.log.seal();
    }

    /// Whether the log's disk is so full that new work is refused.
    pub fn is_short(&self) -> bool {
        self.log.is_short()
    }

    /// Tries again what the log could not do.
    pub fn retry(&self) {
        if self.log.owes() {
            self.log.retry();
        }
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

    /// Says how many more attempts there is room for, whether anybody asked or not.
    pub fn make_room(&self, attempts: usize) {
        lock(&self.edges.room).places = attempts;
        self.partitions().attempts_wanted(Full::All, attempts);
    }

    /// How many places for attempts there are; for a node that has just begun.
    pub fn set_places(&self, places: usize) {
        lock(&self.edges.room).places = places;
    }

    /// An attempt has given its place back; whoever was refused hears of it.
    pub fn give_place_back(&self) {
        let mut room = lock(&self.edges.room);
        room.places += 1;
        if std::mem::take(&mut room.is_wanted) {
            let places = room.places;
            drop(room);
            self.partitions().attempts_wanted(Full::All, places);
        }
    }

    /// Reads the rows of a partition as they are in memory.
    pub fn tables<T>(&mut self, partition: usize, look: impl FnOnce(&Tables<'_>) -> T) -> T {
        self.node.drivers_mut()[partition].tables(look)
    }

    /// Whether messages of other partitions wait for a partition's turn.
    pub fn has_peer_events(&mut self, partition: usize) -> bool {
        let events = self.partitions().take_peer_events(partition);
        let has_events = !events.is_empty();
        self.partitions().put_peer_events(partition, events);
        has_events
    }

    /// Changes what partitions have sent each other and not yet taken.
    pub fn tamper_peers(&mut self, mut change: impl FnMut(&mut Self, usize, &mut Vec<Event>)) {
        for partition in 0..self.count() {
            let mut events = self.partitions().take_peer_events(partition);
            change(self, partition, &mut events);
            self.partitions().put_peer_events(partition, events);
        }
    }

    /// What is left when everything stops at once.
    pub fn crash(self, random: &mut Random) -> Media {
        self.lose_power(random, &mut Stats::default())
    }

    /// The same, and what it found at risk.
    pub fn lose_power(self, random: &mut Random, stats: &mut Stats) -> Media {
        self.count_refusals(stats);
        let left = self.media.lose_power(random, stats);
        self.media.close();
        left
    }

    /// What is left when the process is killed: what it wrote is there, synced or not.
    pub fn kill(self, stats: &mut Stats) -> Media {
        self.count_refusals(stats);
        let left = self.media.keep();
        self.media.close();
        left
    }

    fn count_refusals(&self, stats: &mut Stats) {
        let room = lock(&self.edges.room);
        stats.add_many(Fault::StartRefused, room.offered, room.refused);
    }
}

impl Edges for SimEdges {
    fn start_attempt(&self, partition: PartitionId, start: Box<StartAttempt>) -> Result<(), Full> {
        let mut room = lock(&self.room);
        room.offered += 1;
        if room.places == 0 {
            room.refused += 1;
            return Err(Full::All);
        }
        room.places -= 1;
        lock(&self.wishes).push_back(Wish::Start(partition, start));
        Ok(())
    }

    fn attempt_refused(&self, full: Full) {
        let mut room = lock(&self.room);
        if room.places == 0 {
            room.is_wanted = true;
            return;
        }
        let places = room.places;
        drop(room);
        if let Some(partitions) = self.partitions.get() {
            partitions.attempts_wanted(full, places);
        }
    }

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
