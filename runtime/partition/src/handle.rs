//! The handle to the partitions of a node: events in, rows out. Requests and answers are in
//! `requests.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::PartitionKey;
use runtime_core::{Partition, PartitionId, event::Event, model::ids::RequestId, tables::Tables};
use runtime_views::View;
use tokio::sync::oneshot;

use crate::{
    edges::Full,
    health::{self, PartitionHealth},
    inbox::Inbox,
    lanes::{Read, SendReply},
    row_snapshot::RowSnapshot,
    waiters::Waiters,
};

/// The node is shutting down, or a disk error has stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping; try again")]
pub struct Stopped;

/// The handle to all partitions of this node. Cheap to clone.
#[derive(Clone)]
pub struct Partitions(Arc<Shared>);

struct Shared {
    count: u16,
    inboxes: Arc<[Arc<Inbox>]>,
    waiters: Vec<Arc<Waiters>>,
    next_request: AtomicU64,
}

/// Number of partitions, as a `u16`.
///
/// # Panics
/// Panics if there are more than can be numbered: the last ones would have no owner.
pub(crate) fn count_of(partitions: usize) -> u16 {
    let Ok(count) = u16::try_from(partitions) else {
        unreachable!("a node has {partitions} partitions; the maximum is {}", u16::MAX);
    };
    count
}

impl Partitions {
    pub(crate) fn new(inboxes: Arc<[Arc<Inbox>]>, waiters: Vec<Arc<Waiters>>) -> Self {
        let count = count_of(inboxes.len());
        Self(Arc::new(Shared { count, inboxes, waiters, next_request: AtomicU64::new(1) }))
    }

    /// Number of partitions of the node.
    pub fn count(&self) -> u16 {
        self.0.count
    }

    /// The partition that owns a key.
    pub fn owner(&self, key: PartitionKey) -> PartitionId {
        Partition::owner(self.count(), key)
    }

    /// Hands an event to a partition; waits while its inbox is full. The event need not be durable
    /// on return.
    ///
    /// # Errors
    /// Returns an error if the node is stopping.
    pub async fn propose(&self, to: PartitionId, event: Event) -> Result<(), Stopped> {
        self.inbox(to).push_events(vec![event]).await
    }

    /// Hands several events to a partition, which takes them in one turn.
    ///
    /// # Errors
    /// Returns an error if the node is stopping.
    pub async fn propose_all(&self, to: PartitionId, events: Vec<Event>) -> Result<(), Stopped> {
        self.inbox(to).push_events(events).await
    }

    /// Reads rows between two records, after every event that was proposed before. The answer comes
    /// once everything read is durable. Overtakes events that are held back for lack of memory or
    /// disk space.
    ///
    /// # Errors
    /// Returns an error if the node is stopping.
    pub async fn read<V: View>(&self, from: PartitionId, view: V) -> Result<V::Output, Stopped> {
        let (sender, receiver) = oneshot::channel();
        let look = Box::new(move |tables: &Tables<'_>| {
            let seen = view.read(tables);
            Box::new(move || {
                let _ = sender.send(seen); // The caller may be gone.
            }) as SendReply
        });
        self.inbox(from).put(|lanes| lanes.push_read(Read::Look(look)));
        receiver.await.map_err(|_| Stopped)
    }

    /// The rows as [`Partitions::read`] sees them, to be read for longer than a turn: later events
    /// do not change them.
    ///
    /// # Errors
    /// Returns an error if the node is stopping.
    pub async fn snapshot(&self, from: PartitionId) -> Result<RowSnapshot, Stopped> {
        let (sender, receiver) = oneshot::channel();
        self.inbox(from).put(|lanes| lanes.push_read(Read::Hold(sender)));
        receiver.await.map(RowSnapshot::new).map_err(|_| Stopped)
    }

    /// Whether each partition's thread makes progress, and its state, by number. `None` for a
    /// partition that has not answered within ten seconds and is stuck.
    pub async fn health(&self) -> Vec<Option<PartitionHealth>> {
        let pings: Vec<_> = self.0.inboxes.iter().map(|inbox| health::ping(inbox)).collect();
        let mut answers = Vec::with_capacity(pings.len());
        for ping in pings {
            answers.push(ping.answer().await);
        }
        answers
    }

    /// Announces that capacity which was exhausted in the invoker is free again: `count` of the
    /// attempts that were refused for it are offered again.
    pub fn attempts_wanted(&self, full: Full, count: usize) {
        for inbox in self.0.inboxes.iter() {
            inbox.put(|lanes| _ = lanes.notices.wanted.insert(full, count));
        }
    }

    /// Resends the messages from one partition to another that are not acknowledged; the receiver
    /// ignores duplicates. For a transport that can lose messages.
    pub fn resend(&self, from: PartitionId, to: PartitionId) {
        self.inbox(to).put(|lanes| lanes.peers.lost(from));
    }

    /// Refuses everything from now on, and releases all waiting callers.
    pub fn stop(&self) {
        self.0.inboxes.iter().for_each(|inbox| inbox.close());
        self.0.waiters.iter().for_each(|waiters| waiters.clear());
    }

    /// Whether a partition refuses new work, and holds back what running attempts store.
    pub fn is_disk_full(&self, partition: PartitionId) -> bool {
        self.inbox(partition).is_disk_full()
    }

    pub(crate) fn next_request(&self) -> RequestId {
        RequestId(self.0.next_request.fetch_add(1, Ordering::Relaxed))
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn inboxes(&self) -> &[Arc<Inbox>] {
        &self.0.inboxes
    }

    fn inbox(&self, partition: PartitionId) -> &Inbox {
        &self.0.inboxes[usize::from(partition.0)]
    }

    pub(crate) fn waiters(&self, partition: PartitionId) -> &Waiters {
        &self.0.waiters[usize::from(partition.0)]
    }
}
