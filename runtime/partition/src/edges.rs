//! What the partitions hand to the edges of the node.

use protocol::{
    DeploymentId,
    journal::{Entry, EntryIndex},
};
use runtime_core::{
    PartitionId,
    effect::StartAttempt,
    model::{deployment::StoredDeployment, ids::AttemptRef},
};

use crate::budget::Pool;

/// What an edge has no room in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Full {
    /// The whole edge: nobody gets a place.
    All,
    /// What the attempts of one deployment may have.
    Deployment(DeploymentId),
    /// What those of one of its services may have.
    Service(Pool),
}

impl Full {
    /// Everything that the work of a pool needs room in.
    pub fn of(pool: Pool) -> [Self; 3] {
        [Self::All, Self::Deployment(pool.deployment), Self::Service(pool)]
    }
}

/// Carries out the effects that leave the node's core. No method may wait: what can't be taken at
/// once is refused and stays owed in the rows.
pub trait Edges: Send + Sync + 'static {
    /// Runs a handler. The partition offers it again after [`crate::Partitions::attempts_wanted`] has
    /// named what was full.
    ///
    /// # Errors
    /// When there is no room: what is full.
    fn start_attempt(&self, partition: PartitionId, start: Box<StartAttempt>) -> Result<(), Full>;

    /// A refusal has been noted by its partition: from now on, room of that kind is to be announced. If
    /// there is some already, at once.
    fn attempt_refused(&self, full: Full);

    /// Shows an entry to a live attempt; for an unknown one there is nothing to do.
    fn send_notification(
        &self,
        partition: PartitionId,
        attempt: AttemptRef,
        index: EntryIndex,
        entry: Entry,
    );

    /// Breaks an attempt off; for an unknown one there is nothing to do.
    fn abort_attempt(&self, partition: PartitionId, attempt: AttemptRef);

    /// The registry's rows, whenever they have changed, and once before the first attempt starts.
    fn publish_registry(&self, deployments: Vec<StoredDeployment>);
}
