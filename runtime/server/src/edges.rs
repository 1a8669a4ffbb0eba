//! Passes effects to the invoker and to the registry.

use std::sync::Arc;

use protocol::journal::{Entry, EntryIndex};
use runtime_core::{
    PartitionId,
    effect::StartAttempt,
    model::{deployment::StoredDeployment, ids::AttemptRef, invocation::Pin},
};
use runtime_invoker::Invoker;
use runtime_partition::{Edges, Full};
use runtime_schema::SharedRegistry;

pub(crate) struct NodeEdges {
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) registry: SharedRegistry,
}

impl Edges for NodeEdges {
    fn may_start(&self, service: &str, pin: Option<Pin>, bytes: usize) -> Result<(), Full> {
        self.invoker.may_start(service, pin, bytes)
    }

    fn start_attempt(&self, partition: PartitionId, start: Box<StartAttempt>) -> Result<(), Full> {
        self.invoker.start_attempt(partition, start)
    }

    fn attempt_refused(&self, full: Full) {
        self.invoker.attempt_refused(full);
    }

    fn send_notification(
        &self,
        partition: PartitionId,
        attempt: AttemptRef,
        index: EntryIndex,
        entry: Entry,
    ) {
        self.invoker.send_notification(partition, attempt, index, entry);
    }

    fn abort_attempt(&self, partition: PartitionId, attempt: AttemptRef) {
        self.invoker.abort_attempt(partition, attempt);
    }

    fn suspend_attempt(&self, partition: PartitionId, attempt: AttemptRef) {
        self.invoker.suspend_attempt(partition, attempt);
    }

    fn publish_registry(&self, deployments: Vec<StoredDeployment>) {
        self.registry.publish(deployments);
    }
}
