//! Who a call is for: what the registry says of the handler, and the id of the new invocation.

use protocol::{HandlerKind, InvocationId, PartitionKey, ServiceKind, ids, journal::CallRequest};

use super::{Attempt, Entropy, Fault};
use crate::event::{Callee, Retention};

/// What the proposer of an invocation must know of its handler.
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

impl HandlerFacts {
    /// How long an invocation of the handler is kept once it is finished.
    pub fn retention(&self, has_idempotency_key: bool) -> Retention {
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

/// Nobody offers what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No deployment has the service.
    #[error("service '{service}' is not registered; register the deployment that offers it")]
    UnknownService {
        /// Its name.
        service: String,
    },
    /// The latest revision of the service has no such handler.
    #[error("service '{service}' has no handler '{handler}' in its latest revision")]
    UnknownHandler {
        /// Name of the service.
        service: String,
        /// Name of the handler.
        handler: String,
    },
}

/// The part of the registry that an attempt needs.
pub trait Registry {
    /// What the latest revision says of a handler.
    fn resolve(&self, service: &str, handler: &str) -> Result<HandlerFacts, ResolveError>;
}

impl Attempt {
    /// Checks a call's target and makes up the callee.
    pub(super) fn callee(
        &self,
        request: &CallRequest,
        registry: &dyn Registry,
        entropy: &mut dyn Entropy,
    ) -> Result<Callee, Fault> {
        let facts = registry.resolve(&request.service, &request.handler)?;
        let invalid = |message: String| Fault::InvalidCommand { message };
        if facts.service_kind.is_keyed() == request.key.is_empty() {
            let (service, key) = (&request.service, &request.key);
            return Err(invalid(if key.is_empty() {
                format!("a call of '{service}' needs a key")
            } else {
                format!("a call of '{service}' has the key '{key}', but a plain service has none")
            }));
        }
        if request.idempotency_key.as_deref() == Some("") {
            return Err(invalid("an idempotency key must not be empty".to_owned()));
        }
        if request.limit_key.is_some() && request.scope.is_none() {
            return Err(invalid("a limit key needs a scope".to_owned()));
        }
        let scope = request.scope.as_deref();
        let id = match (&request.idempotency_key, facts.handler_kind) {
            (_, HandlerKind::Workflow) => {
                self.options.derivation.workflow(scope, &request.service, &request.key)
            }
            (Some(idempotency_key), _) => self.options.derivation.idempotency_key(
                scope,
                &request.service,
                &request.key,
                &request.handler,
                idempotency_key,
            ),
            (None, _) => {
                let partition_key = if facts.service_kind.is_keyed() {
                    PartitionKey::of_key(&request.key)
                } else {
                    // An unkeyed callee may run anywhere; beside its caller it is nearest.
                    self.start.id.partition_key
                };
                let random = u128::from(entropy.next_u64()) << 64 | u128::from(entropy.next_u64());
                InvocationId { partition_key, uuid: ids::ulid(self.start.now.0, random) }
            }
        };
        Ok(Callee {
            id,
            service_kind: facts.service_kind,
            handler_kind: facts.handler_kind,
            retention: facts.retention(request.idempotency_key.is_some()),
            random_seed: entropy.next_u64(),
        })
    }
}
