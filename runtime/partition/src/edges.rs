//! What the partitions hand to the edges of the node.

use protocol::journal::{Entry, EntryIndex};
use runtime_core::{
    PartitionId, effect::StartAttempt, event::AttemptRef, tables::deployment::StoredDeployment,
};

/// Carries out the effects that leave the node's core. No method may wait: what can't be taken at
/// once is refused and stays owed in the rows.
pub trait Edges: Send + Sync + 'static {
    /// Runs a handler. Returns false when there is no room: the partition offers the attempt again
    /// after [`crate::Partitions::attempts_wanted`].
    fn start_attempt(&self, partition: PartitionId, start: Box<StartAttempt>) -> bool;

    /// A refusal has been noted by its partition: from now on, room is to be announced. If there is
    /// room already, at once.
    fn attempt_refused(&self);

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
