//! Requests from edges to partitions, one method each. Matching answers to requests, and which
//! kinds of answers a request can get, are confined to this module.

use std::sync::Arc;

use protocol::{
    DeploymentId, InvocationId, PartitionKey,
    journal::{NotificationResult, notification::SignalId},
};
use runtime_core::{
    PartitionId, REGISTRY_PARTITION,
    effect::{Answer, Configured, Registered, SignalAnswer, Updated},
    event::Event,
    model::{
        deployment::{Deployment, ServiceOptions},
        ids::RequestId,
        invocation::{Completion, Invoke, Source, Status},
        operation::{Operation, Outcome},
        operator::Operator,
        producer::Position,
        registry_change::{RegistryChange, Stranded},
        state_edit::{EditOutcome, StateEdit, StateSummary},
    },
    time::Timestamp,
};
use runtime_views::result::StatusOf;

use crate::{Stopped, handle::Partitions, lanes::Lane, waiters::Reply};

/// Why a request gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The node is stopping; whether the request takes effect is unknown.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The request was refused; nothing of it is kept.
    #[error("the disk is nearly full: free some space, then try again")]
    DiskFull,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub enum CallAnswer {
    /// The invocation ended.
    Completed {
        /// How the invocation ended.
        completion: Arc<Completion>,
        /// Whether it had already ended before this call.
        was_stored: bool,
    },
    /// The call is for a workflow's `run` that was invoked before.
    AlreadyInvoked,
}

/// Confirms that a send is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Id of the invocation.
    pub id: InvocationId,
    /// Whether it existed before, under the same idempotency or workflow key.
    pub duplicate: bool,
    /// When a delayed invocation starts, as the first request set it.
    pub start_at: Option<Timestamp>,
}

/// A deployment that an operator wants to register.
#[derive(Debug, Clone)]
pub struct DeploymentOffer {
    /// The deployment as its endpoint describes it.
    pub deployment: Arc<Deployment>,
    /// Whether to replace the existing deployment if the address is already registered.
    pub replace: bool,
    /// Whether a service may change its kind.
    pub allow_breaking: bool,
}

/// Every method returns once what its answer reports is durable. All fail if the node stops before
/// that, or if the disk has no space for new work. `held` is dropped as soon as the partition has
/// the request.
#[expect(clippy::missing_errors_doc, reason = "documented above for all of them")]
impl Partitions {
    /// Runs a handler and waits for its result. The request is entered as the source.
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
            Reply::Completed(completion) => {
                Ok(CallAnswer::Completed { completion, was_stored: false })
            }
            Reply::Answer(Answer::Completed { completion, .. }) => {
                Ok(CallAnswer::Completed { completion, was_stored: true })
            }
            Reply::Answer(Answer::AlreadyInvoked { .. }) => Ok(CallAnswer::AlreadyInvoked),
            Reply::Answer(
                other @ (Answer::Accepted { .. }
                | Answer::Operated(_)
                | Answer::StateEdited { .. }
                | Answer::Signalled(_)
                | Answer::Registered(_)
                | Answer::Updated(_)
                | Answer::Configured(_)
                | Answer::Removed { .. }
                | Answer::Produced { .. }),
            ) => wrong("a call", &other),
            Reply::DiskFull => Err(RequestError::DiskFull),
        }
    }

    /// Has a handler run now or later, without waiting for it. The request is entered as the
    /// source.
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

    /// Runs a handler for a producer; returns whether the position is new. In either case the
    /// partition then has everything up to that position, and [`runtime_views::producer::One`]
    /// reports it.
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

    /// Completes an awakeable or sends a signal.
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

    /// Does something to an invocation that an operator asks for.
    pub async fn operate(
        &self,
        operator: Operator,
        target: InvocationId,
        operation: Operation,
    ) -> Result<Outcome, RequestError> {
        let to = self.owner(target.partition_key);
        let event = |request| Event::OperationRequested { request, operator, target, operation };
        let answer = self.answer(to, (), event).await?;
        let Answer::Operated(outcome) = answer else { wrong("an operation", &answer) };
        Ok(outcome)
    }

    /// Edits the state of a virtual object or workflow as an operator asks; returns what has become
    /// of it, and the state after it unless it waits or was refused unseen.
    pub async fn edit_state(
        &self,
        held: impl Send,
        operator: Operator,
        edit: Box<StateEdit>,
    ) -> Result<(EditOutcome, Option<StateSummary>), RequestError> {
        let to = self.owner(PartitionKey::of_key(&edit.key));
        let event = |request| Event::StateEditRequested { request, operator, edit };
        let answer = self.answer(to, held, event).await?;
        let Answer::StateEdited { outcome, state } = answer else { wrong("an edit", &answer) };
        Ok((outcome, state))
    }

    /// Registers a deployment.
    pub async fn register(
        &self,
        operator: Operator,
        offer: DeploymentOffer,
    ) -> Result<Registered, RequestError> {
        let DeploymentOffer { deployment, replace, allow_breaking } = offer;
        let change = RegistryChange::Register { deployment, replace, allow_breaking };
        let answer = self.change_registry(operator, change).await?;
        let Answer::Registered(registered) = answer else { wrong("a registration", &answer) };
        Ok(registered)
    }

    /// Changes how a deployment is called; its services stay what they are unless they are to be
    /// overwritten.
    pub async fn update(
        &self,
        operator: Operator,
        deployment: Arc<Deployment>,
        overwrite: bool,
    ) -> Result<Updated, RequestError> {
        let change = RegistryChange::Update { deployment, overwrite };
        let answer = self.change_registry(operator, change).await?;
        let Answer::Updated(updated) = answer else { wrong("an update", &answer) };
        Ok(updated)
    }

    /// Changes settings of a service until it is discovered again; absent ones stay as they are.
    pub async fn configure(
        &self,
        operator: Operator,
        service: String,
        changes: ServiceOptions,
    ) -> Result<Configured, RequestError> {
        let change = RegistryChange::Configure { service, changes };
        let answer = self.change_registry(operator, change).await?;
        let Answer::Configured(configured) = answer else { wrong("settings", &answer) };
        Ok(configured)
    }

    /// Removes a deployment; returns whether it existed. The audit keeps which invocations that
    /// leaves behind.
    pub async fn remove(
        &self,
        operator: Operator,
        deployment: DeploymentId,
        force: bool,
        stranded: Vec<Stranded>,
    ) -> Result<bool, RequestError> {
        let change = RegistryChange::Remove { deployment, force, stranded };
        let answer = self.change_registry(operator, change).await?;
        let Answer::Removed { existed } = answer else { wrong("a removal", &answer) };
        Ok(existed)
    }

    async fn change_registry(
        &self,
        operator: Operator,
        change: RegistryChange,
    ) -> Result<Answer, RequestError> {
        let change = Box::new(change);
        let event = |request| Event::RegistryChangeRequested { request, operator, change };
        self.answer(REGISTRY_PARTITION, (), event).await
    }

    /// Waits until an invocation has ended; `None` if the id is not known, or no longer known.
    pub async fn attach(&self, id: InvocationId) -> Result<Option<Arc<Completion>>, Stopped> {
        let to = self.owner(id.partition_key);
        // Wait first, then read: a completion in between is seen twice instead of being missed.
        let mut place = self.waiters(to).wait(self.next_request(), Some(id));
        match self.read(to, StatusOf(id)).await? {
            None => Ok(None),
            Some(Status::Completed { completion, .. }) => Ok(Some(completion)),
            Some(Status::Waiting(_) | Status::Running { .. } | Status::Paused) => {
                match (&mut place.receiver).await.map_err(|_| Stopped)? {
                    Reply::Completed(completion) => Ok(Some(completion)),
                    Reply::Answer(answer) => wrong("an attach", &answer),
                    Reply::DiskFull => unreachable!("an attach needs no disk space"),
                }
            }
        }
    }

    /// Sends a request and waits for its answer.
    async fn answer(
        &self,
        to: PartitionId,
        held: impl Send,
        event: impl FnOnce(RequestId) -> Event,
    ) -> Result<Answer, RequestError> {
        match self.ask(to, held, None, event).await? {
            Reply::Answer(answer) => Ok(answer),
            Reply::DiskFull => Err(RequestError::DiskFull),
            Reply::Completed(_) => {
                unreachable!("a request received a completion that it does not wait for")
            }
        }
    }

    /// Sends a request and waits for its answer or for the end of `invocation`.
    async fn ask(
        &self,
        to: PartitionId,
        held: impl Send,
        invocation: Option<InvocationId>,
        event: impl FnOnce(RequestId) -> Event,
    ) -> Result<Reply, RequestError> {
        let request = self.next_request();
        let event = event(request);
        if Lane::of(&event) == Lane::New && self.is_disk_full(to) {
            // Refuse at once, before anything waits.
            return Err(RequestError::DiskFull);
        }
        let mut place = self.waiters(to).wait(request, invocation);
        self.propose(to, event).await?;
        drop(held);
        Ok((&mut place.receiver).await.map_err(|_| Stopped)?)
    }
}

/// Panics, since this is a bug: the machine gives each kind of request its own kinds of answers,
/// under the request's number.
fn wrong(asked: &str, answer: &Answer) -> ! {
    panic!("{asked} was answered with {answer:?}")
}
