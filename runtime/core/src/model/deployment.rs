//! Deployments and the services they offer.

use std::sync::Arc;

use protocol::{DeploymentId, HandlerKind, ServiceKind};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A registered endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Assigned at registration; never reused.
    pub id: DeploymentId,
    /// The URI of the endpoint.
    pub uri: String,
    /// Whether request and response bodies may overlap, so that an attempt is one bidirectional
    /// stream.
    pub bidirectional: bool,
    /// Whether the runtime talks to it over HTTP/1.1.
    pub http1: bool,
    /// Headers sent with each request to it.
    pub headers: Vec<(String, String)>,
    /// Arbitrary key/value pairs set by the operator.
    pub metadata: Vec<(String, String)>,
    /// The oldest and newest service protocol version that it reports supporting.
    pub protocol_range: (u32, u32),
    /// How its SDK identifies itself.
    pub sdk: Option<String>,
    /// The services it offers.
    pub services: Vec<ServiceDefinition>,
}

impl Deployment {
    /// The definitions of a handler and of its service.
    pub fn handler(
        &self,
        service: &str,
        handler: &str,
    ) -> Option<(&ServiceDefinition, &HandlerDefinition)> {
        let service = self.services.iter().find(|definition| definition.name == service)?;
        let handler = service.handlers.iter().find(|definition| definition.name == handler)?;
        Some((service, handler))
    }

    /// What `other` lacks that this one offers.
    pub fn lost_in(&self, other: &Self) -> Vec<Lost> {
        let lost = self.services.iter().flat_map(|service| {
            let same = other.services.iter().find(|offered| offered.name == service.name);
            service.lost_in(same)
        });
        lost.collect()
    }
}

impl ServiceDefinition {
    /// What `other` lacks, a newer definition of the service, if there is one.
    pub fn lost_in(&self, other: Option<&Self>) -> Vec<Lost> {
        let service = || self.name.clone();
        let Some(other) = other else { return vec![Lost::Service(service())] };
        if self.kind != other.kind {
            let (was, would_be) = (self.kind, other.kind);
            return vec![Lost::ServiceKind { service: service(), was, would_be }];
        }
        let lost = self.handlers.iter().filter_map(|known| {
            let (service, handler) = (service(), known.name.clone());
            match other.handlers.iter().find(|offered| offered.name == known.name) {
                None => Some(Lost::Handler { service, handler }),
                Some(offered) if offered.kind != known.kind => Some(Lost::HandlerKind {
                    service,
                    handler,
                    was: known.kind,
                    would_be: offered.kind,
                }),
                Some(_) => None,
            }
        });
        lost.collect()
    }
}

/// Something that a deployment offers, and another version of it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variant says what its fields are")]
pub enum Lost {
    /// A service.
    Service(String),
    /// A service of this kind.
    ServiceKind { service: String, was: ServiceKind, would_be: ServiceKind },
    /// A handler.
    Handler { service: String, handler: String },
    /// A handler of this kind.
    HandlerKind { service: String, handler: String, was: HandlerKind, would_be: HandlerKind },
}

/// A deployment as the registry stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDeployment {
    /// The deployment as registered.
    pub deployment: Arc<Deployment>,
    /// When it was first registered.
    pub created_at: Timestamp,
    /// The revision number of each of its services, in the same order.
    pub revisions: Vec<u32>,
}

/// A service as declared by an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDefinition {
    /// Name of the service, unique within the deployment.
    pub name: String,
    /// Whether it is a service, a virtual object or a workflow.
    pub kind: ServiceKind,
    /// The handlers it offers.
    pub handlers: Vec<HandlerDefinition>,
    /// Settings for all handlers.
    pub options: ServiceOptions,
    /// Documentation for human readers.
    pub documentation: Option<String>,
    /// Arbitrary key/value pairs from the endpoint.
    pub metadata: Vec<(String, String)>,
}

/// A handler as declared by an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerDefinition {
    /// Name of the handler, unique within the service.
    pub name: String,
    /// The kind of handler, which determines what it may do.
    pub kind: HandlerKind,
    /// Settings that take precedence over the service's.
    pub options: ServiceOptions,
    /// The input it accepts.
    pub input: InputRule,
    /// The output it returns.
    pub output: OutputRule,
    /// Documentation for human readers.
    pub documentation: Option<String>,
    /// Arbitrary key/value pairs from the endpoint.
    pub metadata: Vec<(String, String)>,
}

/// Settings of a service or a handler; an absent one falls back to the server's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceOptions {
    /// Half-close an idle attempt after this many milliseconds.
    pub inactivity_timeout_ms: Option<u64>,
    /// Abort an attempt that does not end within this many milliseconds of the half-close.
    pub abort_timeout_ms: Option<u64>,
    /// Keep a finished journal this many milliseconds.
    pub journal_retention_ms: Option<u64>,
    /// Keep the result of an idempotent invocation this many milliseconds.
    pub idempotency_retention_ms: Option<u64>,
    /// Keep the result, state and promises of a workflow this many milliseconds.
    pub workflow_retention_ms: Option<u64>,
    /// Let the SDK request state lazily instead of sending it with the attempt.
    pub lazy_state: Option<bool>,
    /// Whether it is hidden from the ingress.
    pub ingress_private: Option<bool>,
    /// How failed attempts are retried.
    pub retry: RetryOptions,
}

impl ServiceOptions {
    /// These settings, and where one is absent, that of `others`.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self {
            inactivity_timeout_ms: self.inactivity_timeout_ms.or(others.inactivity_timeout_ms),
            abort_timeout_ms: self.abort_timeout_ms.or(others.abort_timeout_ms),
            journal_retention_ms: self.journal_retention_ms.or(others.journal_retention_ms),
            idempotency_retention_ms: self
                .idempotency_retention_ms
                .or(others.idempotency_retention_ms),
            workflow_retention_ms: self.workflow_retention_ms.or(others.workflow_retention_ms),
            lazy_state: self.lazy_state.or(others.lazy_state),
            ingress_private: self.ingress_private.or(others.ingress_private),
            retry: self.retry.or(&others.retry),
        }
    }
}

/// Settings of the retry policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOptions {
    /// The first delay, in milliseconds.
    pub initial_interval_ms: Option<u64>,
    /// The longest delay, in milliseconds.
    pub max_interval_ms: Option<u64>,
    /// The maximum number of attempts.
    pub max_attempts: Option<u32>,
    /// The factor between successive delays, in thousandths: 2000 doubles each delay.
    pub factor_thousandths: Option<u64>,
    /// What to do after the last attempt.
    pub on_max_attempts: Option<OnMaxAttempts>,
}

impl RetryOptions {
    /// These settings, and where one is absent, that of `others`.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        Self {
            initial_interval_ms: self.initial_interval_ms.or(others.initial_interval_ms),
            max_interval_ms: self.max_interval_ms.or(others.max_interval_ms),
            max_attempts: self.max_attempts.or(others.max_attempts),
            factor_thousandths: self.factor_thousandths.or(others.factor_thousandths),
            on_max_attempts: self.on_max_attempts.or(others.on_max_attempts),
        }
    }
}

/// What to do when the attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnMaxAttempts {
    /// Wait for an operator.
    Pause,
    /// End the invocation with the last failure.
    Kill,
}

/// What input a handler accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRule {
    /// Whether a request must have a body, even an empty one.
    pub required: bool,
    /// The content type it must have; `None` if there must not be a body.
    pub content_type: Option<String>,
    /// JSON schema of the body, as text.
    pub json_schema: Option<String>,
}

/// What output a handler returns; untyped by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRule {
    /// Content type of the response; `None` leaves it unset.
    pub content_type: Option<String>,
    /// Whether an empty response has the content type too.
    pub set_content_type_if_empty: bool,
    /// JSON schema of the output, as text.
    pub json_schema: Option<String>,
}
