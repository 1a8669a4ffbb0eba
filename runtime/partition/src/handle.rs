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
    edges::Full,
    health::{self, PartitionHealth},
    inbox::Inbox,
    lanes::{Answering, Lane},
    waiters::{Outcome, Waiters},
};

/// The node is shutting down, or a disk error has stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping; try again")]
pub struct Stopped;

/// A request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The node stops; whether the request counts is unknown.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The request was refused: nothing of it is kept.
    #[error("the disk is nearly full: free some room, then try again")]
    NoRoom,
}

/// All partitions of this node. Cheap to clone.
#[derive(Clone)]
pub struct Partitions(Arc<Shared>);

struct Shared {
    count: u16,
    inboxes: Arc<[Arc<Inbox>]>,
    waiters: Vec<Arc<Waiters>>,
    next_request: AtomicU64,
}

/// How many partitions that are.
///
/// # Panics
/// When they are more than can be numbered: the last ones would have no owner.
pub(crate) fn count_of(partitions: usize) -> u16 {
    let Ok(count) = u16::try_from(partitions) else {
        unreachable!("a node has {partitions} partitions; the most is {}", u16::MAX);
    };
    count
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
        let count = count_of(inboxes.len());
        Self(Arc::new(Shared { count, inboxes, waiters, next_request: AtomicU64::new(1) }))
    }

    /// How many partitions there are.
    pub fn count(&self) -> u16 {
        self.0.count
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
        self.inbox(to).push_events(vec![event]).await
    }

    /// Hands several events to a partition, which takes them in one turn.
    ///
    /// # Errors
    /// When the node is stopping.
    pub async fn propose_all(&self, to: PartitionId, events: Vec<Event>) -> Result<(), Stopped> {
        self.inbox(to).push_events(events).await
    }

    /// Proposes an event without waiting for a place: for the simulator, which is no one's thread.
    pub fn propose_now(&self, to: PartitionId, event: Event) {
        self.inbox(to).force_event(event);
    }

    /// Proposes an event that is answered, and waits for the answer: it is durable then. `held` is let
    /// go of as soon as the partition has the event.
    ///
    /// # Errors
    /// When the node stops before the answer is there, and when the disk has no room for new work.
    pub async fn request(
        &self,
        to: PartitionId,
        held: impl Send,
        event: impl FnOnce(RequestId) -> Event,
    ) -> Result<Answer, RequestError> {
        let request = self.next_request();
        let event = event(request);
        self.check_room(to, &event)?;
        let mut place = self.waiters(to).wait(request, None);
        self.propose(to, event).await?;
        drop(held);
        match (&mut place.receiver).await {
            Ok(Outcome::Answer(answer)) => Ok(answer),
            Ok(Outcome::NoRoom) => Err(RequestError::NoRoom),
            // It waits for no invocation, so it can't hear of one.
            Ok(Outcome::Completed(_)) | Err(_) => Err(Stopped.into()),
        }
    }

    /// Proposes an invocation and waits until it has ended. `invoke.source` must be
    /// `Source::IngressCall` with the given request. `held` is let go of as soon as the partition has it.
    ///
    /// # Errors
    /// When the node stops before the answer is there, and when the disk has no room for new work.
    pub async fn call(
        &self,
        held: impl Send,
        invoke: impl FnOnce(RequestId) -> Box<Invoke>,
    ) -> Result<CallAnswer, RequestError> {
        let request = self.next_request();
        let invoke = invoke(request);
        let to = self.owner(invoke.id.partition_key);
        let id = invoke.id;
        let event = Event::Invoked(invoke);
        self.check_room(to, &event)?;
        let mut place = self.waiters(to).wait(request, Some(id));
        self.propose(to, event).await?;
        drop(held);
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
                | Answer::Purged(_)
                | Answer::Signalled(_)
                | Answer::Registered { .. }
                | Answer::Removed { .. },
            ))
            | Err(_) => Err(Stopped.into()),
            Ok(Outcome::NoRoom) => Err(RequestError::NoRoom),
        }
    }

    /// Waits until an invocation has ended; `None` when there is none with this id, or none any more.
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
                    Ok(Outcome::Answer(_) | Outcome::NoRoom) | Err(_) => Err(Stopped),
                }
            }
        }
    }

    /// Reads rows between two records, behind every event that was proposed before; the answer comes
    /// when everything read is durable. Events that are held back for want of room are passed.
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
        self.inbox(from).put(|lanes| lanes.push_read(read));
        receiver.await.map_err(|_| Stopped)
    }

    /// Whether each partition's thread does its work, and how it stands, by number. A partition that
    /// says nothing for ten seconds is stuck: `None`.
    pub async fn health(&self) -> Vec<Option<PartitionHealth>> {
        let pings: Vec<_> = self.0.inboxes.iter().map(|inbox| health::ping(inbox)).collect();
        let mut answers = Vec::with_capacity(pings.len());
        for ping in pings {
            answers.push(ping.answer().await);
        }
        answers
    }

    /// Refuses new work at once when the disk has no room for it, before anything waits.
    fn check_room(&self, to: PartitionId, event: &Event) -> Result<(), RequestError> {
        let is_refused = Lane::of(event) == Lane::New && self.inbox(to).has_no_room();
        if is_refused { Err(RequestError::NoRoom) } else { Ok(()) }
    }

    /// The invoker has room again in what was full: so many attempts that it refused for that are
    /// offered anew.
    pub fn attempts_wanted(&self, full: Full, count: usize) {
        for inbox in self.0.inboxes.iter() {
            inbox.put(|lanes| _ = lanes.notices.wanted.insert(full, count));
        }
    }

    /// Takes out what other partitions have sent and this one has not applied yet: for the simulator,
    /// which changes it to show that its checks can fail.
    #[doc(hidden)]
    pub fn take_peer_events(&self, partition: usize) -> Vec<Event> {
        let mut taken = Vec::new();
        self.0.inboxes[partition].put(|lanes| taken = std::mem::take(lanes.peers_mut()).into());
        taken
    }

    /// Puts it back.
    #[doc(hidden)]
    pub fn put_peer_events(&self, partition: usize, events: Vec<Event>) {
        self.0.inboxes[partition].put(|lanes| *lanes.peers_mut() = events.into());
    }

    /// Events of edges that a partition has not taken yet: for the simulator's counts.
    #[doc(hidden)]
    pub fn waiting_events(&self, partition: usize) -> usize {
        let mut waiting = 0;
        self.0.inboxes[partition].put(|lanes| waiting = lanes.events_waiting());
        waiting
    }

    /// Forgets room that was announced together with a refusal: for the simulator, which shows that
    /// this is noticed.
    #[doc(hidden)]
    pub fn forget_room_with_refusal(&self, partition: usize) {
        self.0.inboxes[partition].put(|lanes| {
            if !lanes.notices.refused.is_empty() {
                lanes.notices.wanted.clear();
            }
        });
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
    let status = tables.invocation(tables.invocation_lsn(id)?)?.status;
    Some(status).filter(|status| !status.is_expired(tables.meta().stamp.at()))
}
