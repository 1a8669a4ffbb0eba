//! What partitions request from the edges, queued until the caller takes it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use protocol::journal::{Entry, EntryIndex};
use runtime_core::{
    PartitionId,
    effect::StartAttempt,
    model::{deployment::StoredDeployment, ids::AttemptRef, invocation::Pin},
};
use runtime_partition::{Edges, Full, Partitions};

/// Concurrency permits that a node has at first.
const PERMITS: usize = 8;

/// A request from a partition to the edges.
#[derive(Debug)]
pub enum EdgeRequest {
    /// Start an attempt.
    Start(PartitionId, Box<StartAttempt>),
    /// Send a notification entry to an attempt.
    Notify(PartitionId, AttemptRef, EntryIndex, Entry),
    /// Abort an attempt.
    Abort(PartitionId, AttemptRef),
    /// Ask an attempt to suspend.
    Suspend(PartitionId, AttemptRef),
}

/// How many attempts partitions wanted to start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Starts {
    /// All of them.
    pub offered: u64,
    /// Those that were refused for lack of a permit.
    pub refused: u64,
}

/// The edges of a node, which queue all requests.
pub(crate) struct QueuedEdges {
    requests: Mutex<VecDeque<EdgeRequest>>,
    /// The registry's rows, if they have changed since they were last taken.
    registry: Mutex<Option<Vec<StoredDeployment>>>,
    permits: Mutex<Permits>,
    partitions: OnceLock<Partitions>,
}

/// Concurrency permits for attempts, as the invoker's supervisor counts them.
#[derive(Debug)]
struct Permits {
    left: usize,
    /// Whether a partition waits for a permit to become free.
    is_wanted: bool,
    starts: Starts,
}

impl Default for QueuedEdges {
    fn default() -> Self {
        let permits = Permits { left: PERMITS, is_wanted: false, starts: Starts::default() };
        Self {
            requests: Mutex::default(),
            registry: Mutex::default(),
            permits: Mutex::new(permits),
            partitions: OnceLock::new(),
        }
    }
}

impl QueuedEdges {
    /// Sets the partitions that these edges belong to.
    ///
    /// # Panics
    /// Panics if the edges already belong to another node.
    pub(crate) fn belong_to(&self, partitions: Partitions) {
        assert!(
            self.partitions.set(partitions).is_ok(),
            "these edges already belong to another node"
        );
    }

    pub(crate) fn next(&self) -> Option<EdgeRequest> {
        lock(&self.requests).pop_front()
    }

    pub(crate) fn registry(&self) -> Option<Vec<StoredDeployment>> {
        lock(&self.registry).take()
    }

    pub(crate) fn set_permits(&self, permits: usize) {
        lock(&self.permits).left = permits;
    }

    /// Returns a permit. If a partition waits for one, returns how many are free now.
    pub(crate) fn give_place_back(&self) -> Option<usize> {
        let mut permits = lock(&self.permits);
        permits.left += 1;
        std::mem::take(&mut permits.is_wanted).then_some(permits.left)
    }

    pub(crate) fn starts(&self) -> Starts {
        lock(&self.permits).starts
    }
}

impl Edges for QueuedEdges {
    fn may_start(&self, _: &str, _: Option<Pin>, _: usize) -> Result<(), Full> {
        let mut permits = lock(&self.permits);
        if permits.left > 0 {
            return Ok(());
        }
        permits.starts.offered += 1;
        permits.starts.refused += 1;
        Err(Full::All)
    }

    fn start_attempt(&self, partition: PartitionId, start: Box<StartAttempt>) -> Result<(), Full> {
        let mut permits = lock(&self.permits);
        permits.starts.offered += 1;
        if permits.left == 0 {
            permits.starts.refused += 1;
            return Err(Full::All);
        }
        permits.left -= 1;
        lock(&self.requests).push_back(EdgeRequest::Start(partition, start));
        Ok(())
    }

    fn attempt_refused(&self, full: Full) {
        let mut permits = lock(&self.permits);
        if permits.left == 0 {
            permits.is_wanted = true;
            return;
        }
        let left = permits.left;
        drop(permits);
        if let Some(partitions) = self.partitions.get() {
            partitions.attempts_wanted(full, left);
        }
    }

    fn send_notification(
        &self,
        partition: PartitionId,
        attempt: AttemptRef,
        index: EntryIndex,
        entry: Entry,
    ) {
        lock(&self.requests).push_back(EdgeRequest::Notify(partition, attempt, index, entry));
    }

    fn abort_attempt(&self, partition: PartitionId, attempt: AttemptRef) {
        lock(&self.requests).push_back(EdgeRequest::Abort(partition, attempt));
    }

    fn suspend_attempt(&self, partition: PartitionId, attempt: AttemptRef) {
        lock(&self.requests).push_back(EdgeRequest::Suspend(partition, attempt));
    }

    fn publish_registry(&self, deployments: Vec<StoredDeployment>) {
        *lock(&self.registry) = Some(deployments);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
