//! Clients: they make requests, lose their connections, ask again, and remember the results they
//! got.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use protocol::{
    AwakeableId, HandlerKind, InvocationId, ServiceKind, Target,
    ids::Derivation,
    journal::{NotificationResult, notification::SignalId},
};
use runtime_core::{
    admission::{self, HandlerFacts},
    effect::SignalAnswer,
    model::invocation::{Completion, Invoke},
    registry::RegistrySnapshot,
    time::Timestamp,
};
use runtime_embedded::Random;
use runtime_partition::{CallAnswer, Partitions, RequestError};

use crate::{
    limits::Sabotage,
    perform::FROM_OUTSIDE,
    program::{Destination, Program, encode},
    stats::Fault,
    world::World,
};

/// A client's request and its result.
pub struct Operation {
    /// The program to run.
    pub program: Program,
    pub(crate) number: usize,
    pub(crate) asking: Option<Asking>,
    pub(crate) heard: Option<Heard>,
    /// How long the result is guaranteed to be kept.
    until_ms: Option<u64>,
    /// Whether the node acknowledged the request as durable.
    is_accepted: Arc<AtomicBool>,
    /// Whether an operator's request to end it was acknowledged.
    pub(crate) is_ended: bool,
}

/// A result, or a failure's code.
pub(crate) type Heard = Result<Bytes, u32>;
pub(crate) type Asking = Waiting<Content>;
/// A pending request to the node.
pub(crate) type Waiting<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, RequestError>>>>;

/// Polls pending requests; takes those out that were answered, in their order.
pub(crate) fn answered<K: Copy, T>(
    requests: &mut Vec<(K, Waiting<T>)>,
) -> Vec<(K, Result<T, RequestError>)> {
    let mut answered = Vec::new();
    requests.retain_mut(|(key, asking)| {
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(answer) = asking.as_mut().poll(&mut cx) else { return true };
        answered.push((*key, answer));
        false
    });
    answered
}

/// The node's answer to a client.
pub(crate) enum Content {
    /// The invocation has completed, with its result and when that expires.
    Ended(Heard, Option<u64>),
    /// There is no such invocation, and it was never acknowledged.
    Unknown,
    /// The invocation is missing although it was acknowledged, or the answer makes no sense.
    Wrong(String),
}

/// How to make the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallMode {
    /// Wait for the result.
    Call,
    /// Wait for the acknowledgement, then attach.
    Send,
    /// Attach without starting anything new.
    Attach,
}

/// An awakeable being completed from outside, as the ingress would do it.
pub(crate) struct Completing {
    id: AwakeableId,
    asking: Option<Waiting<SignalAnswer>>,
    is_acknowledged: bool,
}

impl Operation {
    fn is_brief(&self) -> bool {
        self.program.place == Destination::Brief
    }

    /// Derives the invocation's id.
    pub(crate) fn id(&self) -> InvocationId {
        let (service, key, handler) = self.program.target();
        match &self.program.place {
            Destination::Workflow(key) => Derivation::Plain.workflow(None, service, key),
            Destination::Service | Destination::Brief | Destination::Object(_) => {
                let idempotency_key = format!("op-{}", self.number);
                Derivation::Plain.idempotency_key(None, service, key, handler, &idempotency_key)
            }
        }
    }

    fn invoke(&self, registry: &RegistrySnapshot) -> Invoke {
        let (service, key, handler) = self.program.target();
        let kinds = match &self.program.place {
            Destination::Service | Destination::Brief => {
                (ServiceKind::Service, HandlerKind::Service)
            }
            Destination::Object(_) => (ServiceKind::VirtualObject, HandlerKind::Exclusive),
            Destination::Workflow(_) => (ServiceKind::Workflow, HandlerKind::Workflow),
        };
        let facts = registry.resolve(service, handler).unwrap_or(HandlerFacts {
            service_kind: kinds.0,
            handler_kind: kinds.1,
            journal_retention_ms: 0,
            idempotency_retention_ms: 0,
            workflow_retention_ms: 0,
        });
        let is_workflow = facts.handler_kind == HandlerKind::Workflow;
        let request = admission::Request {
            target: Target::new(service, key, handler),
            idempotency_key: (!is_workflow).then(|| format!("op-{}", self.number)),
            headers: Vec::new(),
            value: encode(&self.program),
            start_at: None,
        };
        let mut seed = Random::new(self.number as u64);
        let now = Timestamp(0); // Derived from a name, so the time does not matter.
        let invoke = admission::request(request, &facts, Derivation::Plain, now, &mut seed);
        *invoke.unwrap_or_else(|refused| panic!("a workflow with an idempotency key: {refused}"))
    }

    fn ask(&mut self, partitions: Partitions, registry: &RegistrySnapshot, way: CallMode) {
        let (invoke, is_accepted) = (self.invoke(registry), Arc::clone(&self.is_accepted));
        self.asking = Some(match way {
            CallMode::Call => Box::pin(call(partitions, invoke)),
            CallMode::Send => Box::pin(send(partitions, invoke, is_accepted)),
            CallMode::Attach => Box::pin(attach(partitions, invoke.id, is_accepted)),
        });
    }

    /// Records a result and checks it against what the client already knows.
    fn hear(&mut self, heard: Heard, until_ms: Option<u64>, now_ms: u64) -> Result<bool, String> {
        if self.is_ended && heard != Err(409) {
            return Err(format!(
                "operation {} was ended by an operator, but got {heard:?}",
                self.number
            ));
        }
        let is_new = self.heard.as_ref().is_some_and(|before| *before != heard);
        if is_new && self.until_ms.is_none_or(|until_ms| now_ms < until_ms) {
            let (number, before) = (self.number, &self.heard);
            return Err(format!("operation {number} got {before:?}, then {heard:?}"));
        }
        self.heard = Some(heard);
        self.until_ms = until_ms;
        Ok(is_new)
    }
}

impl World {
    /// Starts a request: a new one, a retry after losing the connection, or a repeat of one that
    /// already has its result.
    pub(crate) fn start_operation(&mut self) {
        let Some(node) = &self.node else { return };
        let partitions = node.partitions().clone();
        let registry = self.registry.snapshot();
        let is_again = self.operations.len() >= self.limits.operations || self.random.chance(100);
        if is_again && !self.operations.is_empty() {
            let at = self.random.index(self.operations.len());
            let ways = if self.random.chance(500) { CallMode::Call } else { CallMode::Attach };
            let operation = &mut self.operations[at];
            if operation.asking.is_none() {
                let way = way_for(operation, ways);
                operation.ask(partitions, &registry, way);
            }
            return;
        }
        if self.operations.len() >= self.limits.operations {
            return;
        }
        let mut operation = Operation {
            program: self.author.root(&mut self.random),
            number: self.operations.len(),
            asking: None,
            heard: None,
            until_ms: None,
            is_accepted: Arc::default(),
            is_ended: false,
        };
        let way = if self.random.chance(500) { CallMode::Call } else { CallMode::Send };
        let way = way_for(&operation, way);
        operation.ask(partitions, &registry, way);
        self.operations.push(operation);
    }

    /// Repeats every request.
    pub(crate) fn ask_all_again(&mut self) -> Result<(), String> {
        let partitions = self.node()?.partitions().clone();
        let registry = self.registry.snapshot();
        for operation in &mut self.operations {
            let way = way_for(operation, CallMode::Call);
            operation.ask(partitions.clone(), &registry, way);
        }
        Ok(())
    }

    /// Polls all pending requests; returns whether any was answered.
    pub(crate) fn listen(&mut self) -> Result<bool, String> {
        let mut has_heard = false;
        let now_ms = self.clock.now_ms();
        let partitions = self.node()?.partitions().clone();
        let registry = self.registry.snapshot();
        for operation in &mut self.operations {
            if let Some(asking) = &mut operation.asking {
                let mut cx = Context::from_waker(Waker::noop());
                let Poll::Ready(said) = asking.as_mut().poll(&mut cx) else { continue };
                operation.asking = None;
                has_heard = true;
                match said {
                    Ok(Content::Ended(heard, until_ms)) => {
                        let was_heard = operation.heard.is_some();
                        let is_new = operation.hear(heard, until_ms, now_ms)?;
                        if operation.is_brief() && was_heard {
                            self.stats.add(Fault::Expired, is_new);
                        }
                    }
                    Ok(Content::Wrong(what)) => {
                        return Err(format!("operation {}: {what}", operation.number));
                    }
                    Ok(Content::Unknown) if operation.heard.is_some() && !operation.is_brief() => {
                        return Err(format!("operation {} has been forgotten", operation.number));
                    }
                    Err(RequestError::DiskFull) => self.is_refused = true,
                    Ok(Content::Unknown) | Err(RequestError::Stopped(_)) => (),
                }
            }
            // An operation without a result lost its connection, so it asks again: its request may
            // be lost unless it was acknowledged.
            if operation.asking.is_none() && operation.heard.is_none() {
                let is_accepted = operation.is_accepted.load(Ordering::Relaxed);
                let is_attaching = is_accepted || self.random.chance(300);
                let way = if is_attaching && has_heard { CallMode::Attach } else { CallMode::Send };
                let way = way_for(operation, way);
                operation.ask(partitions.clone(), &registry, way);
            }
        }
        Ok(self.hear_completions()? || has_heard)
    }

    /// Drops the clients' connections to the node.
    pub(crate) fn cut_clients_off(&mut self) {
        let mut has_waited = false;
        for operation in &mut self.operations {
            has_waited |= operation.asking.take().is_some();
        }
        self.stats.add(Fault::ClientCutOff, has_waited);
        for completing in &mut self.completions {
            completing.asking = None;
        }
    }

    /// Completes an awakeable that is waiting for it; returns false if there is none.
    pub(crate) fn complete_one(&mut self) -> Result<bool, String> {
        let waiting = std::mem::take(&mut self.outside.surroundings().awaiting);
        for id in waiting {
            let id: AwakeableId = id.parse().map_err(|error| format!("{id}: {error}"))?;
            if !self.completions.iter().any(|known| known.id == id) {
                let completing = Completing { id, asking: None, is_acknowledged: false };
                self.completions.push(completing);
            }
        }
        let is_idle = |one: &&mut Completing| one.asking.is_none() && !one.is_acknowledged;
        let Some(completing) = self.completions.iter_mut().find(is_idle) else { return Ok(false) };
        let Some(node) = &self.node else { return Ok(false) };
        self.stats.inject(Fault::Completed);
        completing.asking = Some(Box::pin(complete(node.partitions().clone(), completing.id)));
        if self.sabotage == Some(Sabotage::CompletionAcknowledgedEarly) {
            if let Some(asking) = &mut completing.asking {
                let _ = asking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
            (completing.asking, completing.is_acknowledged) = (None, true);
        }
        Ok(true)
    }

    fn hear_completions(&mut self) -> Result<bool, String> {
        let mut has_heard = false;
        for completing in &mut self.completions {
            let Some(asking) = &mut completing.asking else { continue };
            let mut cx = Context::from_waker(Waker::noop());
            let Poll::Ready(answer) = asking.as_mut().poll(&mut cx) else { continue };
            completing.asking = None;
            has_heard = true;
            match answer {
                Ok(answer @ (SignalAnswer::Stored
                | SignalAnswer::AlreadyCompleted
                // The invocation is gone: an operator ended it, and nothing of it was retained.
                | SignalAnswer::NotFound)) => {
                    completing.is_acknowledged = true;
                    self.stats.bite(Fault::Completed, answer == SignalAnswer::Stored);
                }
                Ok(answer @ SignalAnswer::JournalFull { .. }) => {
                    return Err(format!("a completion was answered with {answer:?}"));
                }
                Err(_) => (),
            }
        }
        Ok(has_heard)
    }
}

/// Picks a request that is valid for the operation: calling a workflow again would not return its
/// result, and a brief result may already have expired.
fn way_for(operation: &Operation, wanted: CallMode) -> CallMode {
    match (&operation.program.place, wanted) {
        (Destination::Workflow(_), CallMode::Call) => CallMode::Send,
        (Destination::Brief, _) => CallMode::Call,
        (_, wanted) => wanted,
    }
}

async fn call(partitions: Partitions, invoke: Invoke) -> Result<Content, RequestError> {
    let answer = partitions.call((), Box::new(invoke)).await?;
    Ok(match answer {
        CallAnswer::Completed { completion, .. } => ended(&completion),
        CallAnswer::AlreadyInvoked => Content::Wrong("it was already invoked".to_owned()),
    })
}

async fn send(
    partitions: Partitions,
    invoke: Invoke,
    is_accepted: Arc<AtomicBool>,
) -> Result<Content, RequestError> {
    let id = invoke.id;
    let accepted = partitions.send((), Box::new(invoke)).await?;
    if accepted.id != id {
        return Ok(Content::Wrong(format!("a send of {id} was answered with {accepted:?}")));
    }
    is_accepted.store(true, Ordering::Relaxed);
    attach(partitions, id, is_accepted).await
}

async fn attach(
    partitions: Partitions,
    id: InvocationId,
    is_accepted: Arc<AtomicBool>,
) -> Result<Content, RequestError> {
    let was_accepted = is_accepted.load(Ordering::Relaxed);
    Ok(match partitions.attach(id).await? {
        Some(completion) => ended(&completion),
        None if was_accepted => {
            Content::Wrong("it was acknowledged, but does not exist".to_owned())
        }
        None => Content::Unknown,
    })
}

fn ended(completion: &Completion) -> Content {
    Content::Ended(heard(completion), completion.expires_at.map(|at| at.0))
}

/// What is heard of the end of an invocation.
pub(crate) fn heard(completion: &Completion) -> Heard {
    completion.result.clone().map_err(|failure| failure.code)
}

/// Completes an awakeable as the ingress does: the answer arrives once the completion is durable.
async fn complete(partitions: Partitions, id: AwakeableId) -> Result<SignalAnswer, RequestError> {
    let AwakeableId { invocation, signal } = id;
    let result = NotificationResult::Value(Bytes::from(FROM_OUTSIDE));
    partitions.signal((), invocation, SignalId::Index(signal), result).await
}
