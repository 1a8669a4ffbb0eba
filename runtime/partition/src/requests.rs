//! What edges ask of partitions, a verb each. Which request an answer is for, and which kind of answer a
//! request has, stays in here.

use std::sync::Arc;

use protocol::{
    DeploymentId, InvocationId,
    journal::{NotificationResult, notification::SignalId},
};
use runtime_core::{
    PartitionId, REGISTRY_PARTITION,
    effect::{Answer, Control, Purged, Registered, SignalAnswer},
    event::Event,
    model::{
        deployment::Deployment,
        ids::RequestId,
        invocation::{Completion, Invoke, Source, Status},
        producer::Position,
    },
    time::Timestamp,
};
use runtime_views::result::StatusOf;

use crate::{Stopped, handle::Partitions, lanes::Lane, waiters::Outcome};

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

/// A send is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The invocation.
    pub id: InvocationId,
    /// It was there before: the same idempotency or workflow key.
    pub duplicate: bool,
    /// When it starts, for a delayed one: the first request's time.
    pub start_at: Option<Timestamp>,
}

/// What an operator wants to have registered.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What the endpoint has said it offers.
    pub deployment: Arc<Deployment>,
    /// If its address is registered already: put this in the place of what is there.
    pub replace: bool,
    /// Let a service change its kind.
    pub allow_breaking: bool,
}

/// Of each: the answer is there when what it says is durable. All fail when the node stops before that,
/// and when the disk has no room for new work. `held` is let go of as soon as the partition has the request.
#[expect(clippy::missing_errors_doc, reason = "said above for all of them")]
impl Partitions {
    /// Runs a handler and waits for its result. Whoever asks is entered as the source.
    pub async fn call(
        &self,
        held: impl Send,
        mut invoke: Box<Invoke>,
    ) -> Result<CallAnswer, RequestError> {
        let (id, to) = (invoke.id, self.owner(invoke.id.partition_key));
        let event = |request| {
            invoke.source = Source::IngressCall { request };
            Event::Invoked(invoke)
        };
        match self.ask(to, held, Some(id), event).await? {
            Outcome::Completed(completion) => {
                Ok(CallAnswer::Completed { completion, was_stored: false })
            }
            Outcome::Answer(Answer::Completed { completion, .. }) => {
                Ok(CallAnswer::Completed { completion, was_stored: true })
            }
            Outcome::Answer(Answer::AlreadyInvoked { .. }) => Ok(CallAnswer::AlreadyInvoked),
            Outcome::Answer(
                other @ (Answer::Accepted { .. }
                | Answer::Control(_)
                | Answer::Purged(_)
                | Answer::Signalled(_)
                | Answer::Registered(_)
                | Answer::Removed { .. }
                | Answer::Produced { .. }),
            ) => wrong("a call", &other),
            Outcome::NoRoom => Err(RequestError::NoRoom),
        }
    }

    /// Has a handler run now or later. Whoever asks is entered as the source.
    pub async fn send(
        &self,
        held: impl Send,
        mut invoke: Box<Invoke>,
    ) -> Result<Accepted, RequestError> {
        let to = self.owner(invoke.id.partition_key);
        let event = |request| {
            invoke.source = Source::IngressSend { request };
            Event::Invoked(invoke)
        };
        let answer = self.answer(to, held, event).await?;
        let Answer::Accepted { id, duplicate, start_at } = answer else { wrong("a send", &answer) };
        Ok(Accepted { id, duplicate, start_at })
    }

    /// Has a handler run that a producer asks for; whether this position is new. Whatever comes of it, the
    /// partition has everything up to it then, and [`runtime_views::producer::One`] says so.
    pub async fn produce(
        &self,
        held: impl Send,
        mut invoke: Box<Invoke>,
        name: String,
        position: Position,
    ) -> Result<bool, RequestError> {
        let to = self.owner(invoke.id.partition_key);
        invoke.source = Source::Producer { name, position };
        let answer = self.answer(to, held, |request| Event::Produced { request, invoke }).await?;
        let Answer::Produced { is_new } = answer else { wrong("a producer", &answer) };
        Ok(is_new)
    }

    /// Completes an awakeable, or sends a signal.
    pub async fn signal(
        &self,
        held: impl Send,
        target: InvocationId,
        signal: SignalId,
        result: NotificationResult,
    ) -> Result<SignalAnswer, RequestError> {
        let to = self.owner(target.partition_key);
        let event = |request| Event::SignalRequested { request, target, signal, result };
        let answer = self.answer(to, held, event).await?;
        let Answer::Signalled(signalled) = answer else { wrong("a signal", &answer) };
        Ok(signalled)
    }

    /// Asks an invocation to come to an end.
    pub async fn cancel(&self, target: InvocationId) -> Result<Control, RequestError> {
        self.control(target, |request| Event::CancelRequested { request, target }).await
    }

    /// Ends an invocation and all that it has started.
    pub async fn kill(&self, target: InvocationId) -> Result<Control, RequestError> {
        self.control(target, |request| Event::KillRequested { request, target }).await
    }

    async fn control(
        &self,
        target: InvocationId,
        event: impl FnOnce(RequestId) -> Event,
    ) -> Result<Control, RequestError> {
        let answer = self.answer(self.owner(target.partition_key), (), event).await?;
        let Answer::Control(control) = answer else { wrong("an operator's request", &answer) };
        Ok(control)
    }

    /// Removes an invocation that has ended before its time.
    pub async fn purge(&self, target: InvocationId) -> Result<Purged, RequestError> {
        let to = self.owner(target.partition_key);
        let answer =
            self.answer(to, (), |request| Event::PurgeRequested { request, target }).await?;
        let Answer::Purged(purged) = answer else { wrong("a purge", &answer) };
        Ok(purged)
    }

    /// Registers a deployment.
    pub async fn register(&self, offer: Offer) -> Result<Registered, RequestError> {
        let Offer { deployment, replace, allow_breaking } = offer;
        let event =
            |request| Event::DeploymentOffered { request, deployment, replace, allow_breaking };
        let answer = self.answer(REGISTRY_PARTITION, (), event).await?;
        let Answer::Registered(registered) = answer else { wrong("a registration", &answer) };
        Ok(registered)
    }

    /// Removes a deployment; whether there was one.
    pub async fn remove(&self, deployment: DeploymentId) -> Result<bool, RequestError> {
        let event = |request| Event::DeploymentRemoved { request, deployment };
        let answer = self.answer(REGISTRY_PARTITION, (), event).await?;
        let Answer::Removed { existed } = answer else { wrong("a removal", &answer) };
        Ok(existed)
    }

    /// Waits until an invocation has ended; `None` when there is none with this id, or none any more.
    pub async fn attach(&self, id: InvocationId) -> Result<Option<Arc<Completion>>, Stopped> {
        let to = self.owner(id.partition_key);
        // First wait, then look: an end between the two is heard of twice and not missed.
        let mut place = self.waiters(to).wait(self.next_request(), Some(id));
        match self.read(to, StatusOf(id)).await? {
            None => Ok(None),
            Some(Status::Completed { completion, .. }) => Ok(Some(completion)),
            Some(Status::Waiting(_) | Status::Running { .. } | Status::Paused) => {
                match (&mut place.receiver).await.map_err(|_| Stopped)? {
                    Outcome::Completed(completion) => Ok(Some(completion)),
                    Outcome::Answer(answer) => wrong("somebody who only waits", &answer),
                    Outcome::NoRoom => unreachable!("whoever only waits needs no room"),
                }
            }
        }
    }

    /// Asks, and waits for the answer.
    async fn answer(
        &self,
        to: PartitionId,
        held: impl Send,
        event: impl FnOnce(RequestId) -> Event,
    ) -> Result<Answer, RequestError> {
        match self.ask(to, held, None, event).await? {
            Outcome::Answer(answer) => Ok(answer),
            Outcome::NoRoom => Err(RequestError::NoRoom),
            Outcome::Completed(_) => unreachable!("a request hears of an end it does not wait for"),
        }
    }

    /// Asks, and waits for the answer or for the end of `invocation`.
    async fn ask(
        &self,
        to: PartitionId,
        held: impl Send,
        invocation: Option<InvocationId>,
        event: impl FnOnce(RequestId) -> Event,
    ) -> Result<Outcome, RequestError> {
        let request = self.next_request();
        let event = event(request);
        if Lane::of(&event) == Lane::New && self.has_no_room(to) {
            // At once, before anything waits.
            return Err(RequestError::NoRoom);
        }
        let mut place = self.waiters(to).wait(request, invocation);
        self.propose(to, event).await?;
        drop(held);
        Ok((&mut place.receiver).await.map_err(|_| Stopped)?)
    }
}

/// The machine answers each request in its own way, under the number that it was asked with.
fn wrong(asked: &str, answer: &Answer) -> ! {
    panic!("{asked} was answered with {answer:?}")
}
