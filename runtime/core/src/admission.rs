//! Builds new invocations and chooses their ids, for client requests and for calls.
//!
//! The two follow different rules, the same as in the Restate server. A client may give an object
//! an empty key, but may not give a workflow an idempotency key. In a call, an empty key means no
//! key, which an object requires, and a workflow's idempotency key is ignored.

use bytes::Bytes;
use protocol::{
    HandlerKind, InvocationId, PartitionKey, ProtocolVersion, ServiceKind, Target,
    ids::{self, Derivation},
    journal::{CallRequest, Command, Entry, EntryIndex, InvocationTarget, NamedCommand},
    wire,
};

use crate::{
    model::{
        ids::RequestId,
        invocation::{Callee, Invoke, Pin, Retention, Source},
        operation::Restart,
    },
    time::Timestamp,
};

/// A source of random bits for ids, seeds and retry jitter. The shell provides it, so that a
/// simulation can control it.
pub trait Entropy {
    /// The next 64 bits.
    fn next_u64(&mut self) -> u64;
}

/// What the latest revision declares about the handler to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandlerFacts {
    /// The kind of service that the handler belongs to.
    pub service_kind: ServiceKind,
    /// The kind of handler, which determines what it may do.
    pub handler_kind: HandlerKind,
    /// How long a finished journal is kept, in milliseconds.
    pub journal_retention_ms: u64,
    /// How long the result of an idempotent invocation is kept, in milliseconds.
    pub idempotency_retention_ms: u64,
    /// How long a workflow's result, state and promises are kept, in milliseconds.
    pub workflow_retention_ms: u64,
}

/// A client's request to invoke a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The handler to run.
    pub target: Target,
    /// Requests with the same key yield the same invocation.
    pub idempotency_key: Option<String>,
    /// Headers for the handler.
    pub headers: Vec<(String, String)>,
    /// The serialized argument.
    pub value: Bytes,
    /// The earliest time to start; `None` starts immediately.
    pub start_at: Option<Timestamp>,
}

/// The request is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// A call to an object or a workflow without a key.
    #[error("a call to '{service}' needs a key")]
    KeyMissing {
        /// Name of the service.
        service: String,
    },
    /// A call to a plain service with a key.
    #[error("a call to '{service}' has the key '{key}', but a plain service takes no key")]
    KeyNotTaken {
        /// Name of the service.
        service: String,
        /// The key.
        key: String,
    },
    /// A call with an empty idempotency key.
    #[error("an idempotency key must not be empty")]
    IdempotencyKeyEmpty,
    /// A client's request to a workflow with an idempotency key.
    #[error("a workflow's run takes no idempotency key: the workflow key already serves as one")]
    IdempotencyKeyOnWorkflow,
    /// A limit key without a scope.
    #[error("a limit key needs a scope")]
    LimitKeyWithoutScope,
}

/// How ids are made: derived from names, or, for unnamed invocations, from the time and random
/// bits.
struct Ids<'a> {
    derivation: Derivation,
    now: Timestamp,
    entropy: &'a mut dyn Entropy,
}

/// Turns a client's request into an event to propose; the proposer fills in the `source`.
///
/// # Errors
/// Returns an error if the request is for a workflow and has an idempotency key.
pub fn request(
    request: Request,
    facts: &HandlerFacts,
    derivation: Derivation,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<Box<Invoke>, AdmissionError> {
    let Request { target, idempotency_key, headers, value, start_at } = request;
    if facts.handler_kind == HandlerKind::Workflow && idempotency_key.is_some() {
        return Err(AdmissionError::IdempotencyKeyOnWorkflow);
    }
    let mut ids = Ids { derivation, now, entropy };
    let id = ids.id(facts, None, &target, idempotency_key.as_deref(), None);
    Ok(Box::new(Invoke {
        id,
        service_kind: facts.service_kind,
        handler_kind: facts.handler_kind,
        source: Source::IngressCall { request: RequestId(0) },
        input: input(headers, value),
        start_at,
        scope: None,
        limit_key: None,
        retention: facts.retention(idempotency_key.is_some()),
        random_seed: ids.entropy.next_u64(),
        target,
        idempotency_key,
    }))
}

/// Checks a call and chooses the callee's id; `beside` is the caller's partition key.
///
/// # Errors
/// Returns an error if the call's key, idempotency key or limit key is invalid.
pub(crate) fn callee(
    request: &CallRequest,
    facts: &HandlerFacts,
    derivation: Derivation,
    (beside, now): (PartitionKey, Timestamp),
    entropy: &mut dyn Entropy,
) -> Result<Callee, AdmissionError> {
    let (service, key) = (&request.service, &request.key);
    match (facts.service_kind.is_keyed(), key.is_empty()) {
        (true, true) => return Err(AdmissionError::KeyMissing { service: service.clone() }),
        (false, false) => {
            let (service, key) = (service.clone(), key.clone());
            return Err(AdmissionError::KeyNotTaken { service, key });
        }
        (true, false) | (false, true) => (),
    }
    if request.idempotency_key.as_deref() == Some("") {
        return Err(AdmissionError::IdempotencyKeyEmpty);
    }
    if request.limit_key.is_some() && request.scope.is_none() {
        return Err(AdmissionError::LimitKeyWithoutScope);
    }
    let mut ids = Ids { derivation, now, entropy };
    let (scope, idempotency_key) = (request.scope.as_deref(), request.idempotency_key.as_deref());
    let id = ids.id(facts, scope, &target(request), idempotency_key, Some(beside));
    Ok(Callee {
        id,
        service_kind: facts.service_kind,
        handler_kind: facts.handler_kind,
        retention: facts.retention(idempotency_key.is_some()),
        random_seed: ids.entropy.next_u64(),
    })
}

/// An invocation to restart, and the key under which this is asked for: requests with the same key
/// are one.
#[derive(Debug, Clone, Copy)]
pub struct RestartOf<'a> {
    /// The old invocation.
    pub id: InvocationId,
    /// The client's key, and how ids are derived from keys.
    pub key: Option<(Derivation, &'a str)>,
}

/// Chooses the id and the random numbers of an invocation that an operator restarts, in the
/// partition of the old one.
pub fn restart(
    of: RestartOf<'_>,
    from: EntryIndex,
    pin: Option<Pin>,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Restart {
    let id = match of.key {
        Some((derivation, key)) => derivation.restart(of.id, key),
        None => unnamed(of.id.partition_key, now, entropy),
    };
    Restart { id, from, pin, random_seed: entropy.next_u64() }
}

/// The invocation that a call starts, using what was chosen when the call was proposed.
pub(crate) fn call(
    request: &CallRequest,
    callee: &Callee,
    source: Source,
    start_at: Option<Timestamp>,
) -> Invoke {
    Invoke {
        id: callee.id,
        target: target(request),
        service_kind: callee.service_kind,
        handler_kind: callee.handler_kind,
        source,
        input: input(request.headers.clone(), request.parameter.clone()),
        start_at,
        idempotency_key: request.idempotency_key.clone(),
        scope: request.scope.clone(),
        limit_key: request.limit_key.clone(),
        retention: callee.retention,
        random_seed: callee.random_seed,
    }
}

fn target(request: &CallRequest) -> Target {
    Target::new(&request.service, &request.key, &request.handler)
}

fn input(headers: Vec<(String, String)>, value: Bytes) -> Entry {
    let input = NamedCommand::from(Command::Input { headers, value });
    // Input is encoded the same way in all protocol versions.
    wire::command::encode(&input, ProtocolVersion::MAX)
}

impl Ids<'_> {
    /// A named invocation always gets the same id. An unnamed one runs on the partition of its key;
    /// without a key it may run anywhere, and is placed on its caller's partition to stay local.
    fn id(
        &mut self,
        facts: &HandlerFacts,
        scope: Option<&str>,
        target: &Target,
        idempotency_key: Option<&str>,
        beside: Option<PartitionKey>,
    ) -> InvocationId {
        let Target { service, key, handler } = target;
        match (idempotency_key, facts.handler_kind) {
            (_, HandlerKind::Workflow) => self.derivation.workflow(scope, service, key),
            (Some(idempotency_key), _) => {
                self.derivation.idempotency_key(scope, service, key, handler, idempotency_key)
            }
            (None, _) => {
                let partition_key = if facts.service_kind.is_keyed() {
                    PartitionKey::of_key(key)
                } else {
                    beside.unwrap_or_else(|| PartitionKey(self.entropy.next_u64()))
                };
                unnamed(partition_key, self.now, self.entropy)
            }
        }
    }
}

/// An id that nothing else has.
fn unnamed(partition_key: PartitionKey, now: Timestamp, entropy: &mut dyn Entropy) -> InvocationId {
    let random = u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64());
    InvocationId { partition_key, uuid: ids::ulid(now.0, random) }
}

impl HandlerFacts {
    /// How long a finished invocation of the handler is kept.
    fn retention(&self, has_idempotency_key: bool) -> Retention {
        let completion_ms = match self.handler_kind {
            HandlerKind::Workflow => self.workflow_retention_ms,
            HandlerKind::Service | HandlerKind::Exclusive | HandlerKind::Shared => {
                if has_idempotency_key {
                    self.idempotency_retention_ms
                } else {
                    self.journal_retention_ms
                }
            }
        };
        Retention { completion_ms, journal_ms: self.journal_retention_ms.min(completion_ms) }
    }
}

/// The id of a target: idempotent and workflow invocations have derived ids. `None` if it cannot be
/// parsed.
pub fn named(derivation: Derivation, target: &InvocationTarget) -> Option<InvocationId> {
    match target {
        InvocationTarget::Id(id) => id.parse().ok(),
        InvocationTarget::Idempotent { service, key, handler, idempotency_key, scope } => Some(
            derivation.idempotency_key(scope.as_deref(), service, key, handler, idempotency_key),
        ),
        InvocationTarget::Workflow { name, key, scope } => {
            Some(derivation.workflow(scope.as_deref(), name, key))
        }
    }
}

#[cfg(test)]
mod tests;
