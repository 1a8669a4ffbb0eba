//! A node driven by hand: every turn, commit and checkpoint is a call.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::ids::Derivation;
use runtime_core::{model::deployment::StoredDeployment, tables::Tables};
use runtime_log::{Log, LogOptions, ManualLog, Owner, disk::Disk, sim_disk::SimDisk};
use runtime_partition::{
    CutSource, Full, Node, Observer, Partitions, Settings, StartError,
    checkpoint::{Checkpoints, OnDone},
    driver::{Counts, Turn},
    node::Parts,
};
use runtime_store::{Checkpoint, Store};

use crate::{
    clock::VirtualClock,
    edges::{EdgeRequest, QueuedEdges, Starts},
    media::Media,
    random::Random,
};

/// Segments of a few commits, so that they are created and removed all the time, and a reserve for
/// what partitions have already applied when the disk turns out to be full.
pub(crate) const LOG: LogOptions = LogOptions {
    owner: Owner { directory: 0, partitions: 0 },
    segment_bytes: 4096,
    reserve_bytes: RESERVE_BYTES,
    step_bytes: 4096,
};

/// What the log keeps in reserve, in bytes: enough for several turns of all partitions.
pub const RESERVE_BYTES: u64 = 64 << 10;

/// A recovered node that does nothing between calls.
pub struct EmbeddedNode<D: Disk = SimDisk> {
    node: Node,
    media: Media<D>,
    log: Arc<ManualLog<D>>,
    edges: Arc<QueuedEdges>,
    checkpoints: Arc<QueuedCheckpoints>,
    has_stopped: bool,
}

/// Checkpoints waiting to be written.
#[derive(Default)]
struct QueuedCheckpoints(Mutex<VecDeque<(Checkpoint, OnDone)>>);

/// Limits so low that a few rows reach them.
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

impl EmbeddedNode {
    /// Recovers a node from its media, with [`small_settings`].
    ///
    /// # Errors
    /// Returns an error if recovery fails; since these media lose only what was not synced, that is
    /// a bug.
    pub fn recover(media: Media, clock: &Arc<VirtualClock>) -> Result<Self, String> {
        Self::recover_with(media, clock, small_settings(), None, |log| log)
    }

    /// Cuts the power and returns what is left.
    pub fn lose_power(self, random: &mut Random) -> Media {
        let left = self.media.lose_power(random);
        self.media.close_tables();
        left
    }
}

impl<D: Disk + Clone> EmbeddedNode<D> {
    /// Recovers a node whose partitions access the log through `wrap`.
    ///
    /// # Errors
    /// Returns an error as [`EmbeddedNode::recover`] does, or if an operation of the media fails.
    pub fn recover_with(
        media: Media<D>,
        clock: &Arc<VirtualClock>,
        settings: Settings,
        observer: Option<Arc<dyn Observer>>,
        wrap: impl FnOnce(Arc<dyn Log>) -> Arc<dyn Log>,
    ) -> Result<Self, String> {
        let failure = |error: &dyn fmt::Display| format!("recovery: {error}");
        let log = ManualLog::open(media.disk.clone(), LOG).map_err(|error| failure(&error))?;
        let log = Arc::new(log);
        let wrapped = wrap(Arc::clone(&log) as Arc<dyn Log>);
        let count = u16::try_from(media.tables.len())
            .map_err(|_| format!("{} partitions are too many", media.tables.len()))?;
        let stores = (0..count)
            .zip(&media.tables)
            .map(|(id, tables)| Store::open_backend(tables.clone(), id, count))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failure(&error))?;
        let edges = Arc::new(QueuedEdges::default());
        let checkpoints = Arc::new(QueuedCheckpoints::default());
        let parts = Parts {
            stores,
            log: wrapped,
            clock: Arc::clone(clock) as _,
            derivation: Derivation::Plain,
            checkpoints: Arc::clone(&checkpoints) as _,
            observer,
            settings,
        };
        let given = Arc::clone(&edges);
        let node = Node::recover(parts, |partitions| {
            given.belong_to(partitions);
            given
        });
        let node = node.map_err(|error: StartError| failure(&error))?;
        Ok(Self { node, media, log, edges, checkpoints, has_stopped: false })
    }
}

impl<D: Disk> EmbeddedNode<D> {
    /// Handle to the partitions.
    pub fn partitions(&self) -> &Partitions {
        self.node.partitions()
    }

    /// Where copies of the running node are taken from.
    pub fn cuts(&self) -> &CutSource {
        self.node.cuts()
    }

    /// Number of partitions.
    pub fn count(&self) -> usize {
        self.media.tables.len()
    }

    /// The media that the node runs on.
    pub fn media(&self) -> &Media<D> {
        &self.media
    }

    /// Runs a turn of a partition; returns whether it did anything.
    pub fn turn(&mut self, partition: usize) -> bool {
        let turn = self.node.drivers_mut()[partition].turn(Duration::ZERO);
        self.has_stopped |= turn == Turn::Failed;
        matches!(turn, Turn::Worked { .. })
    }

    /// Whether a partition has stopped because the log could not be written.
    pub fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    /// How often a partition has reached its bounds since it started.
    pub fn counts(&mut self, partition: usize) -> Counts {
        self.node.drivers_mut()[partition].counts()
    }

    /// Whether a partition holds back events from edges until its overlay has shrunk.
    pub fn is_overloaded(&mut self, partition: usize) -> bool {
        self.node.drivers_mut()[partition].is_overloaded()
    }

    /// Runs a turn of a partition and returns when it next has work of its own, in milliseconds of
    /// the node's clock.
    pub fn next_wake_up_ms(&mut self, partition: usize) -> Option<u64> {
        match self.node.drivers_mut()[partition].turn(Duration::ZERO) {
            Turn::Worked { until } | Turn::Idle { until } => until.map(|until| until.0),
            Turn::Stopped | Turn::Failed => {
                self.has_stopped = true;
                None
            }
        }
    }

    /// Whether the log has any batch to commit.
    pub fn has_pending(&self) -> bool {
        self.log.has_pending()
    }

    /// Commits the log; returns false if there was nothing to commit.
    pub fn commit(&self) -> bool {
        let has_pending = self.log.has_pending();
        if has_pending {
            self.log.commit();
        }
        has_pending
    }

    /// Seals the log, as an idle one does.
    pub fn seal(&self) {
        // The next append returns the error.
        let _ = self.log.seal();
    }

    /// Whether the log's disk is so full that new work is refused.
    pub fn is_short(&self) -> bool {
        self.log.is_short()
    }

    /// Retries what the log could not do earlier.
    pub fn retry(&self) {
        if self.log.owes() {
            self.log.retry();
        }
    }

    /// Writes one of the waiting checkpoints; returns false if none is waiting.
    pub fn checkpoint(&self) -> bool {
        let job = self.checkpoints.lock().pop_front();
        match job {
            Some((job, done)) => {
                done(job.run());
                true
            }
            None => false,
        }
    }

    /// Takes the oldest request of the partitions to the edges.
    pub fn edge_request(&self) -> Option<EdgeRequest> {
        self.edges.next()
    }

    /// The registry's rows, if they have changed since they were last taken.
    pub fn registry(&self) -> Option<Vec<StoredDeployment>> {
        self.edges.registry()
    }

    /// Sets the number of free permits and announces it to the partitions, whether one waits or
    /// not.
    pub fn make_room(&self, attempts: usize) {
        self.edges.set_permits(attempts);
        self.partitions().attempts_wanted(Full::All, attempts);
    }

    /// Sets the number of free permits, for a node that has just started.
    pub fn set_permits(&self, permits: usize) {
        self.edges.set_permits(permits);
    }

    /// Returns an attempt's permit, and announces it if a partition was refused one.
    pub fn give_place_back(&self) {
        if let Some(permits) = self.edges.give_place_back() {
            self.partitions().attempts_wanted(Full::All, permits);
        }
    }

    /// How many attempts partitions wanted to start, and how many were refused.
    pub fn starts(&self) -> Starts {
        self.edges.starts()
    }

    /// Reads the rows of a partition as they are in memory.
    pub fn tables<T>(&mut self, partition: usize, look: impl FnOnce(&Tables<'_>) -> T) -> T {
        self.node.drivers_mut()[partition].tables(look)
    }
}

impl QueuedCheckpoints {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(Checkpoint, OnDone)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkpoints for QueuedCheckpoints {
    fn run(&self, job: Checkpoint, done: OnDone) {
        self.lock().push_back((job, done));
    }
}
