//! What the edges call: propose events, ask for answers, read rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::{InvocationId, PartitionKey};
use runtime_core::{
    Partition, PartitionId,
    effect::{Answer, Completion},
    event::{Event, Invoke, RequestId},
    tables::{Tables, invocation::Status},
};
use tokio::sync::oneshot;

use crate::{
    inbox::{Answering, Inbox},
    waiters::{Outcome, Waiters},
};

/// The node is shutting down, or a disk error has stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

/// All partitions of this node. Cheap to clone.
#[derive(Clone)]
pub struct Partitions(Arc<Shared>);

struct Shared {
    inboxes: Arc<[Arc<Inbox>]>,
    waiters: Vec<Arc<Waiters>>,
    next_request: AtomicU64,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub enum CallAnswer {
    /// The invocation ended. `was_stored` when it had ended before this call.
    Completed {
        /// How.
        completion: Arc<Completion>,
        /// Whether it had ended before this call.
        was_stored: bool,
    },
    /// A workflow's `run` that was invoked before.
    AlreadyInvoked,
}

impl Partitions {
    pub(crate) fn new(inboxes: Arc<[Arc<Inbox>]>, waiters: Vec<Arc<Waiters>>) -> Self {
        Self(Arc::new(Shared { inboxes, waiters, next_request: AtomicU64::new(1) }))
    }

    /// How many partitions there are.
    pub fn count(&self) -> u16 {
        u16::try_from(self.0.inboxes.len()).unwrap_or(u16::MAX)
    }

    /// The partition that owns a key.
    pub fn owner(&self, key: PartitionKey) -> PartitionId {
        Partition::owner(self.count(), key)
    }

    /// Hands an event to a partition; waits while its inbox is full. Returning does not mean that
    /// the event is durable.
    ///
    /// # Errors
    /// When the node is stopping.
    pub async fn propose(&self, to: PartitionId, event: Event) -> Result<(), Stopped> {
        self.inbox(to).push_events(std::iter::once(event)).await
    }

    /// Hands several events to a partition, which takes them in one turn.
    ///
    /// # Errors
    /// When the node is stopping.
    pub async fn propose_all(&self, to: PartitionId, events: Vec<Event>) -> Result<(), Stopped> {
        self.inbox(to).push_events(events.into_iter()).await
    }

    /// Proposes an event without waiting for a place: for the simulator, which is no one's thread.
    pub fn propose_now(&self, to: PartitionId, event: Event) {
        self.inbox(to).force_event(event);
    }

    /// Proposes an event that is answered, and waits for the answer: it is durable then.
    ///
    /// # Errors
    /// When the node stops before the answer is there; whether the event counts is unknown then.
    pub async fn request(
        &self,
        to: PartitionId,
        event: impl FnOnce(RequestId) -> Event,
    ) -> Result<Answer, Stopped> {
        let request = self.next_request();
        let mut place = self.waiters(to).wait(request, None);
        self.propose(to, event(request)).await?;
        match (&mut place.receiver).await {
            Ok(Outcome::Answer(answer)) => Ok(answer),
            // It waits for no invocation, so it can't hear of one.
            Ok(Outcome::Completed(_)) | Err(_) => Err(Stopped),
        }
    }

    /// Proposes an invocation and waits until it has ended. `invoke.source` must be
    /// `Source::IngressCall` with the given request.
    ///
    /// # Errors
    /// When the node stops before the answer is there.
    pub async fn call(
        &self,
        invoke: impl FnOnce(RequestId) -> Box<Invoke>,
    ) -> Result<CallAnswer, Stopped> {
        let request = self.next_request();
        let invoke = invoke(request);
        let to = self.owner(invoke.id.partition_key);
        let mut place = self.waiters(to).wait(request, Some(invoke.id));
        self.propose(to, Event::Invoked(invoke)).await?;
        match (&mut place.receiver).await {
            Ok(Outcome::Completed(completion)) => {
                Ok(CallAnswer::Completed { completion, was_stored: false })
            }
            Ok(Outcome::Answer(Answer::Completed { completion, .. })) => {
                Ok(CallAnswer::Completed { completion, was_stored: true })
            }
            Ok(Outcome::Answer(Answer::AlreadyInvoked { .. })) => Ok(CallAnswer::AlreadyInvoked),
            // The machine answers a call in no other way.
            Ok(Outcome::Answer(
                Answer::Accepted { .. }
                | Answer::Control(_)
                | Answer::Registered { .. }
                | Answer::Removed { .. },
            ))
            | Err(_) => Err(Stopped),
        }
    }

    /// Waits until an invocation has ended; `None` when there is none with this id.
    ///
    /// # Errors
    /// When the node stops before that.
    pub async fn attach(&self, id: InvocationId) -> Result<Option<Arc<Completion>>, Stopped> {
        let to = self.owner(id.partition_key);
        // First wait, then look: an end between the two is heard of twice and not missed.
        let mut place = self.waiters(to).wait(self.next_request(), Some(id));
        let status = self.read(to, move |tables| status(tables, id)).await?;
        match status {
            None => Ok(None),
            Some(Status::Completed { completion, .. }) => Ok(Some(completion)),
            Some(Status::Waiting(_) | Status::Running { .. } | Status::Paused) => {
                match (&mut place.receiver).await {
                    Ok(Outcome::Completed(completion)) => Ok(Some(completion)),
                    Ok(Outcome::Answer(_)) | Err(_) => Err(Stopped),
                }
            }
        }
    }

    /// Reads rows between two records; the answer comes when everything read is durable.
    ///
    /// # Errors
    /// When the node is stopping.
    pub async fn read<T: Send + 'static>(
        &self,
        from: PartitionId,
        read: impl FnOnce(&Tables<'_>) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (sender, receiver) = oneshot::channel();
        let read = Box::new(move |tables: &Tables<'_>| {
            let seen = read(tables);
            Box::new(move || {
                let _ = sender.send(seen); // Nobody waits for it any more.
            }) as Answering
        });
        self.inbox(from).put(|inbox| inbox.reads.push(read));
        receiver.await.map_err(|_| Stopped)
    }

    /// The invoker has room again: attempts that it refused are offered anew.
    pub fn attempts_wanted(&self) {
        for inbox in self.0.inboxes.iter() {
            inbox.put(|inbox| inbox.attempts_wanted = true);
        }
    }

    /// Takes out what other partitions have sent and this one has not applied yet: for the simulator,
    /// which changes it to show that its checks can fail.
    #[doc(hidden)]
    pub fn take_peer_events(&self, partition: usize) -> Vec<Event> {
        let mut taken = Vec::new();
        self.0.inboxes[partition].put(|inbox| taken = std::mem::take(&mut inbox.peers));
        taken
    }

    /// Puts it back.
    #[doc(hidden)]
    pub fn put_peer_events(&self, partition: usize, events: Vec<Event>) {
        self.0.inboxes[partition].put(|inbox| inbox.peers = events);
    }

    /// Events of edges that a partition has not taken yet: for the simulator's counts.
    #[doc(hidden)]
    pub fn waiting_events(&self, partition: usize) -> usize {
        let mut waiting = 0;
        self.0.inboxes[partition].put(|inbox| waiting = inbox.events.len());
        waiting
    }

    /// Forgets room that was announced together with a refusal: for the simulator, which shows that
    /// this is noticed.
    #[doc(hidden)]
    pub fn forget_room_with_refusal(&self, partition: usize) {
        self.0.inboxes[partition].put(|inbox| inbox.attempts_wanted &= inbox.refused.is_empty());
    }

    /// Refuses everything from now on, and lets go of whoever waits.
    pub fn stop(&self) {
        self.0.inboxes.iter().for_each(|inbox| inbox.close());
        self.0.waiters.iter().for_each(|waiters| waiters.clear());
    }

    fn next_request(&self) -> RequestId {
        RequestId(self.0.next_request.fetch_add(1, Ordering::Relaxed))
    }

    fn inbox(&self, partition: PartitionId) -> &Inbox {
        &self.0.inboxes[usize::from(partition.0)]
    }

    fn waiters(&self, partition: PartitionId) -> &Waiters {
        &self.0.waiters[usize::from(partition.0)]
    }
}

fn status(tables: &Tables<'_>, id: InvocationId) -> Option<Status> {
    let lsn = tables.invocation_lsn(id)?;
    Some(tables.invocation(lsn)?.status)
}
