//! Builds new invocations and chooses their ids, for clients and for calls.
//!
//! The two follow rules of their own, which are the real server's. A client may give an object an empty
//! key, and may not give a workflow an idempotency key. In a call an empty key is none, which an object
//! needs, and a workflow's idempotency key counts for nothing.

use bytes::Bytes;
use protocol::{
    HandlerKind, InvocationId, PartitionKey, ProtocolVersion, ServiceKind, Target,
    ids::{self, Derivation},
    journal::{CallRequest, Command, Entry, InvocationTarget, NamedCommand},
    wire,
};

use crate::{
    model::{
        ids::RequestId,
        invocation::{Callee, Invoke, Retention, Source},
    },
    time::Timestamp,
};

/// Random bits, for ids and seeds and for the spread of retries: made by the shell, so that a simulation
/// can choose them.
pub trait Entropy {
    /// The next 64 bits.
    fn next_u64(&mut self) -> u64;
}

/// What the latest revision says of the handler that is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandlerFacts {
    /// What kind of service it belongs to.
    pub service_kind: ServiceKind,
    /// What it may do.
    pub handler_kind: HandlerKind,
    /// How long a finished journal is kept, in milliseconds.
    pub journal_retention_ms: u64,
    /// How long the result of an idempotent invocation is kept, in milliseconds.
    pub idempotency_retention_ms: u64,
    /// How long a workflow's result, state and promises are kept, in milliseconds.
    pub workflow_retention_ms: u64,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The handler to run.
    pub target: Target,
    /// Same key, same invocation.
    pub idempotency_key: Option<String>,
    /// Headers for the handler.
    pub headers: Vec<(String, String)>,
    /// The serialized argument.
    pub value: Bytes,
    /// Not before.
    pub start_at: Option<Timestamp>,
}

/// It makes no sense to ask for this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// A call of an object or a workflow without a key.
    #[error("a call of '{service}' needs a key")]
    KeyMissing {
        /// Name of the service.
        service: String,
    },
    /// A call of a plain service with a key.
    #[error("a call of '{service}' has the key '{key}', but a plain service has none")]
    KeyNotTaken {
        /// Name of the service.
        service: String,
        /// The key.
        key: String,
    },
    /// A call whose idempotency key is empty.
    #[error("an idempotency key must not be empty")]
    IdempotencyKeyEmpty,
    /// A client's request to a workflow with an idempotency key.
    #[error("a workflow's run takes no idempotency key: its key is one")]
    IdempotencyKeyOnWorkflow,
    /// The limit key stands alone.
    #[error("a limit key needs a scope")]
    LimitKeyWithoutScope,
}

/// How ids are made: from names, and where there is no name, from the time and at random.
struct Ids<'a> {
    derivation: Derivation,
    now: Timestamp,
    entropy: &'a mut dyn Entropy,
}

/// A client's request, ready to be proposed; whoever does says who waits for the answer.
///
/// # Errors
/// When a workflow is asked for with an idempotency key.
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

/// Checks what an invocation calls, and chooses the callee's id; `beside` is the caller's partition key.
///
/// # Errors
/// When the key or the keys of the call make no sense.
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

/// The invocation that a call begins, by what was chosen when it was proposed.
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
    // It has the same form in all versions.
    wire::command::encode(&input, ProtocolVersion::MAX)
}

impl Ids<'_> {
    /// The same name has the same id. What has no name runs on its key's partition; without a key it may
    /// run anywhere, and is nearest beside its caller.
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
                let random =
                    u128::from(self.entropy.next_u64()) << 64 | u128::from(self.entropy.next_u64());
                InvocationId { partition_key, uuid: ids::ulid(self.now.0, random) }
            }
        }
    }
}

impl HandlerFacts {
    /// How long an invocation of the handler is kept once it is finished.
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

/// The id that a target stands for: idempotent and workflow invocations have derived ones.
pub(crate) fn named(derivation: Derivation, target: &InvocationTarget) -> Option<InvocationId> {
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
