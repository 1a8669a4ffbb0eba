//! Whether a partition's thread does its work, asked by way of that work: a busy one answers with
//! its next turn, one that is gone or stuck does not.

use std::time::Duration;

use tokio::{runtime::Handle, sync::oneshot};

use crate::inbox::Inbox;

/// A partition that has not answered for so long is stuck: the longest turns take a second or two.
pub const STUCK_AFTER: Duration = Duration::from_secs(10);

/// How a partition stands.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionHealth {
    /// Whether the disk has room for new work.
    pub has_room: bool,
    /// How long the log's disk has not finished a write that is waited for, in milliseconds, from
    /// [`STUCK_AFTER`] on.
    pub log_stuck_ms: Option<u64>,
    /// How long work has been held back since a checkpoint is not written, in milliseconds, from
    /// [`STUCK_AFTER`] on.
    pub checkpoint_stuck_ms: Option<u64>,
    /// Set when finished invocations take more than they may and nothing of it may go before its time.
    pub promised_over_budget: Option<OverBudget>,
    /// How long the file of its tables is, in bytes.
    pub tables_bytes: u64,
    /// Which part of that is free, from 0 to 1, estimated; `None` when it can't be told.
    pub tables_free_share: Option<f64>,
}

/// What was promised to be kept takes more room than was planned for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverBudget {
    /// Estimate of the bytes that finished invocations take.
    pub retained_bytes: u64,
    /// How many they should.
    pub budget_bytes: u64,
}

/// A question that is under way.
pub(crate) struct Ping(oneshot::Receiver<PartitionHealth>);

/// Asks a partition.
pub(crate) fn ping(inbox: &Inbox) -> Ping {
    let (sender, receiver) = oneshot::channel();
    inbox.put(|lanes| {
        // Those who have gone away are forgotten, so that a stuck partition gathers no more than ask.
        lanes.notices.pings.retain(|ping| !ping.is_closed());
        lanes.notices.pings.push(sender);
    });
    Ping(receiver)
}

impl Ping {
    /// The answer; `None` when there is none in time.
    pub(crate) async fn answer(self) -> Option<PartitionHealth> {
        if Handle::try_current().is_err() {
            return self.0.await.ok(); // A simulation has its own time, in which nothing is stuck.
        }
        tokio::time::timeout(STUCK_AFTER, self.0).await.ok()?.ok()
    }
}
