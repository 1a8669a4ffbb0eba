//! What the partitions call on the edges of the node.

use protocol::{
    DeploymentId,
    journal::{Entry, EntryIndex},
};
use runtime_core::{
    PartitionId,
    effect::StartAttempt,
    model::{deployment::StoredDeployment, ids::AttemptRef, invocation::Pin},
};

use crate::budget::Pool;

/// The capacity that an edge has exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Full {
    /// That of the whole edge: no attempt gets a permit.
    All,
    /// The part that attempts of one deployment may use.
    Deployment(DeploymentId),
    /// The part that attempts of one of its services may use.
    Service(Pool),
}

impl Full {
    /// All capacities that the work of a pool needs.
    pub fn of(pool: Pool) -> [Self; 3] {
        [Self::All, Self::Deployment(pool.deployment), Self::Service(pool)]
    }
}

/// Carries out the effects that leave the node's core. No method may block: what cannot be taken at
/// once is refused and remains an obligation in the rows.
pub trait Edges: Send + Sync + 'static {
    /// Whether an attempt of a service could be started now, so that its journal of `bytes` bytes
    /// is not read in vain. A refusal counts like one of [`Edges::start_attempt`].
    ///
    /// # Errors
    /// Returns the capacity that is exhausted.
    fn may_start(&self, service: &str, pin: Option<Pin>, bytes: usize) -> Result<(), Full>;

    /// Runs a handler. After a refusal the partition offers the attempt again once
    /// [`crate::Partitions::attempts_wanted`] has named the capacity that was exhausted.
    ///
    /// # Errors
    /// Returns the capacity that is exhausted if the attempt cannot be started.
    fn start_attempt(&self, partition: PartitionId, start: Box<StartAttempt>) -> Result<(), Full>;

    /// The partition has noted a refusal: from now on, free capacity of that kind has to be
    /// announced, and immediately if there is some already.
    fn attempt_refused(&self, full: Full);

    /// Sends a notification entry to a live attempt; does nothing if the attempt is unknown.
    fn send_notification(
        &self,
        partition: PartitionId,
        attempt: AttemptRef,
        index: EntryIndex,
        entry: Entry,
    );

    /// Aborts an attempt; does nothing if it is unknown.
    fn abort_attempt(&self, partition: PartitionId, attempt: AttemptRef);

    /// Asks an attempt to suspend as soon as it can; does nothing if it is unknown.
    fn suspend_attempt(&self, partition: PartitionId, attempt: AttemptRef);

    /// Publishes the registry's rows whenever they have changed, and once before the first attempt
    /// starts.
    fn publish_registry(&self, deployments: Vec<StoredDeployment>);
}
