//! Deployments, and what they offer.

use std::sync::Arc;

use protocol::{DeploymentId, HandlerKind, ServiceKind};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A registered endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Where it answers.
    pub uri: String,
    /// Whether requests and responses overlap.
    pub bidirectional: bool,
    /// Whether it is spoken to in HTTP/1.1.
    pub http1: bool,
    /// Headers sent with each request to it.
    pub headers: Vec<(String, String)>,
    /// Free key/value pairs of the operator.
    pub metadata: Vec<(String, String)>,
    /// Oldest and newest invocation protocol that it says it speaks.
    pub protocol_range: (u32, u32),
    /// What its SDK says it is.
    pub sdk: Option<String>,
    /// What it offers.
    pub services: Vec<ServiceDefinition>,
}

impl Deployment {
    /// What it says of a handler and of the service that the handler is in.
    pub fn handler(
        &self,
        service: &str,
        handler: &str,
    ) -> Option<(&ServiceDefinition, &HandlerDefinition)> {
        let service = self.services.iter().find(|definition| definition.name == service)?;
        let handler = service.handlers.iter().find(|definition| definition.name == handler)?;
        Some((service, handler))
    }
}

/// A deployment as the registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDeployment {
    /// What was registered.
    pub deployment: Arc<Deployment>,
    /// When it was first registered.
    pub created_at: Timestamp,
    /// For each of its services, in the same order: which revision of the service this is.
    pub revisions: Vec<u32>,
}

/// A service as an endpoint offers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDefinition {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ServiceKind,
    /// Its handlers.
    pub handlers: Vec<HandlerDefinition>,
    /// Settings for all handlers.
    pub options: Options,
    /// For people.
    pub documentation: Option<String>,
    /// Free key/value pairs.
    pub metadata: Vec<(String, String)>,
}

/// A handler as an endpoint offers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandlerDefinition {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub kind: HandlerKind,
    /// Settings that go before the service's.
    pub options: Options,
    /// What it takes.
    pub input: InputRule,
    /// What it answers.
    pub output: OutputRule,
    /// For people.
    pub documentation: Option<String>,
    /// Free key/value pairs.
    pub metadata: Vec<(String, String)>,
}

/// Settings of a service or a handler; what is absent is the server's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Half-close an idle attempt after this many milliseconds.
    pub inactivity_timeout_ms: Option<u64>,
    /// Break off an attempt that does not end within this many milliseconds of that.
    pub abort_timeout_ms: Option<u64>,
    /// Keep a finished journal this many milliseconds.
    pub journal_retention_ms: Option<u64>,
    /// Keep the result of an idempotent invocation this many milliseconds.
    pub idempotency_retention_ms: Option<u64>,
    /// Keep the result, state and promises of a workflow this many milliseconds.
    pub workflow_retention_ms: Option<u64>,
    /// Let the SDK ask for state instead of sending it along.
    pub lazy_state: Option<bool>,
    /// Not to be called from outside.
    pub ingress_private: Option<bool>,
    /// How failed attempts are retried.
    pub retry: RetryOptions,
}

/// Settings of the retry policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOptions {
    /// The first delay, in milliseconds.
    pub initial_interval_ms: Option<u64>,
    /// The longest delay, in milliseconds.
    pub max_interval_ms: Option<u64>,
    /// Attempts in all.
    pub max_attempts: Option<u32>,
    /// Each delay is the last one times this, in thousandths: 2000 doubles.
    pub factor_thousandths: Option<u64>,
    /// What to do after the last attempt.
    pub on_max_attempts: Option<OnMaxAttempts>,
}

/// What to do when the attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnMaxAttempts {
    /// Wait for an operator.
    Pause,
    /// End with the last failure.
    Kill,
}

/// What a handler takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRule {
    /// Whether a body must be sent, even if it is empty.
    pub required: bool,
    /// Which content type it must have; `None` when there must be no body.
    pub content_type: Option<String>,
    /// JSON schema of the body, as text.
    pub json_schema: Option<String>,
}

/// What a handler answers. By default it is not typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRule {
    /// Content type of the answer; `None` sets none.
    pub content_type: Option<String>,
    /// Whether an empty answer has it too.
    pub set_content_type_if_empty: bool,
    /// JSON schema of the answer, as text.
    pub json_schema: Option<String>,
}
