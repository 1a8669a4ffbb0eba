//! Whether a partition's thread makes progress. Queries are answered as part of its work: a busy
//! partition answers in its next turn, one that is gone or stuck does not.

use std::time::Duration;

use tokio::{runtime::Handle, sync::oneshot};

use crate::inbox::Inbox;

/// A partition that has not answered for this long is stuck: the longest turns take a second or
/// two.
pub const STUCK_AFTER: Duration = Duration::from_secs(10);

/// The state of a partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionHealth {
    /// Whether the disk has space for new work.
    pub has_room: bool,
    /// For how long the log's disk has not finished a pending write, in milliseconds; `None` below
    /// [`STUCK_AFTER`].
    pub log_stuck_ms: Option<u64>,
    /// For how long work has been held back because a checkpoint has not been written, in
    /// milliseconds; `None` below [`STUCK_AFTER`].
    pub checkpoint_stuck_ms: Option<u64>,
    /// Set if finished invocations occupy up more than their budget and none may be removed early.
    pub promised_over_budget: Option<OverBudget>,
    /// Size of the file of the partition's tables, in bytes.
    pub tables_bytes: u64,
    /// Estimated share of that file that is free, from 0 to 1; `None` if it is unknown.
    pub tables_free_share: Option<f64>,
}

/// What was promised to be kept takes up more space than was budgeted for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverBudget {
    /// Estimated bytes that finished invocations occupy up.
    pub retained_bytes: u64,
    /// Bytes budgeted for them.
    pub budget_bytes: u64,
}

/// A health query in flight.
pub(crate) struct Ping(oneshot::Receiver<PartitionHealth>);

/// Queries the health of a partition.
pub(crate) fn ping(inbox: &Inbox) -> Ping {
    let (sender, receiver) = oneshot::channel();
    inbox.put(|lanes| {
        // Drop abandoned queries, so that a stuck partition does not accumulate them.
        lanes.notices.pings.retain(|ping| !ping.is_closed());
        lanes.notices.pings.push(sender);
    });
    Ping(receiver)
}

impl Ping {
    /// Waits for the answer; `None` if it does not come in time.
    pub(crate) async fn answer(self) -> Option<PartitionHealth> {
        if Handle::try_current().is_err() {
            return self.0.await.ok(); // A simulation has its own time, in which nothing is stuck.
        }
        tokio::time::timeout(STUCK_AFTER, self.0).await.ok()?.ok()
    }
}
