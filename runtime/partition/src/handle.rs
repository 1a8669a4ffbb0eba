//! What the edges call: propose events, ask for answers, read rows.

use std::sync::Arc;

use protocol::{InvocationId, PartitionKey};
use runtime_core::{
    PartitionId,
    effect::{Answer, Completion},
    event::{Event, Invoke, RequestId},
    tables::Tables,
};

/// The node is shutting down, or a disk error has stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

/// All partitions of this node. Cheap to clone.
#[derive(Clone)]
pub struct Partitions {}

/// How a call ended.
#[derive(Debug, Clone)]
pub enum CallAnswer {
    /// The invocation ended. `was_stored` when it had ended before this call.
    Completed { completion: Arc<Completion>, was_stored: bool },
    /// A workflow's `run` that was invoked before.
    AlreadyInvoked,
}

impl Partitions {
    /// How many partitions there are.
    pub fn count(&self) -> u16 {
        todo!()
    }

    /// The partition that owns a key.
    pub fn owner(&self, _key: PartitionKey) -> PartitionId {
        todo!()
    }

    /// Hands an event to a partition; waits while its inbox is full. Returning does not mean that
    /// the event is durable.
    pub async fn propose(&self, _to: PartitionId, _event: Event) -> Result<(), Stopped> {
        todo!()
    }

    /// Proposes an event that is answered, and waits for the answer: it is durable then.
    pub async fn request(
        &self,
        _to: PartitionId,
        _event: impl FnOnce(RequestId) -> Event,
    ) -> Result<Answer, Stopped> {
        todo!()
    }

    /// Proposes an invocation and waits until it has ended. `invoke.source` must be
    /// `Source::IngressCall` with the given request.
    pub async fn call(
        &self,
        _invoke: impl FnOnce(RequestId) -> Box<Invoke>,
    ) -> Result<CallAnswer, Stopped> {
        todo!()
    }

    /// Waits until an invocation has ended; `None` when there is none with this id.
    pub async fn attach(&self, _id: InvocationId) -> Result<Option<Arc<Completion>>, Stopped> {
        todo!()
    }

    /// Reads rows between two records; the answer comes when everything read is durable.
    pub async fn read<T: Send + 'static>(
        &self,
        _from: PartitionId,
        _read: impl FnOnce(&Tables<'_>) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        todo!()
    }

    /// The invoker has room again: attempts that it refused are offered anew.
    pub fn attempts_wanted(&self) {
        todo!()
    }
}
