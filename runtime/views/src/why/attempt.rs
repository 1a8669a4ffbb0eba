//! What only the invoker knows: whether an attempt that the rows call running has a permit.

use protocol::DeploymentId;
use runtime_core::{
    PartitionId,
    model::{ids::AttemptRef, invocation::Pin},
};

/// An attempt that the rows of a partition call running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Identifies it within the partition.
    pub name: AttemptRef,
    /// The service whose permits it needs.
    pub service: String,
    /// Where it runs, if its invocation has stored anything there.
    pub pin: Option<Pin>,
    /// Bytes of the journal that it is sent.
    pub journal_bytes: usize,
}

/// What has become of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptState {
    /// It has a permit.
    UnderWay {
        /// For how long nothing has been sent or received, in milliseconds, as far as it is known.
        idle_ms: Option<u64>,
        /// In how many milliseconds it is aborted if nothing arrives until then; known once its
        /// endpoint has been asked to suspend it, and of one that cannot be asked from the start.
        aborted_in_ms: Option<u64>,
        /// The size of the message for which it waits for memory, in bytes.
        memory_bytes: Option<usize>,
        /// Whether what it stores is held back, since the disk is nearly full.
        is_held: bool,
    },
    /// It has none.
    NotStarted {
        /// What it cannot have now.
        lack: Option<Lack>,
        /// Whether the rows that call it running were read after that, so that it cannot have
        /// ended in between.
        is_certain: bool,
    },
}

/// A limit that lets no further attempt start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// What there is too little of.
    pub resource: Resource,
    /// Whose part of it is exhausted.
    pub of: Capacity,
    /// How much of it that part holds.
    pub held: usize,
    /// How much of it all attempts may hold.
    pub max: usize,
}

/// What attempts need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Permits: the number of attempts.
    Permits,
    /// Connections to endpoints that speak HTTP/1.1.
    Connections,
    /// Bytes of memory for journals and state.
    Memory,
}

/// Whose part of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// That of all attempts.
    Node,
    /// That of one deployment.
    Deployment(DeploymentId),
    /// That of one service of a deployment.
    Service(DeploymentId),
}

/// Tells what only the invoker knows.
pub trait Attempts: Send + Sync + 'static {
    /// What has become of an attempt of a partition.
    fn state(&self, partition: PartitionId, attempt: &Attempt) -> AttemptState;

    /// The deployment that an attempt in progress runs on, which its invocation is pinned to once it
    /// has stored something; `None` if it is not in progress.
    fn deployment(&self, partition: PartitionId, attempt: AttemptRef) -> Option<DeploymentId>;
}
