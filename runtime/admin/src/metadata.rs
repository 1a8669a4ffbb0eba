//! The API's representation of services and handlers. Names, units and wording match the real
//! server, because its command line and its clients read them.

use std::collections::BTreeMap;

use protocol::HandlerKind;
use runtime_core::{
    model::deployment::{OnMaxAttempts, RetryOptions},
    registry::RetryPolicy,
};
use runtime_views::{
    duration::friendly,
    service::{Handler, Service},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The latest revision of a service. Durations are human-readable, such as `1d 12h` or `500ms`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceMetadata {
    /// Name of the service.
    pub name: String,
    /// `Service`, `VirtualObject` or `Workflow`.
    pub ty: &'static str,
    /// Its handlers, in the order in which the endpoint lists them.
    pub handlers: Vec<HandlerMetadata>,
    /// Documentation for human readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Arbitrary key/value pairs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The deployment that offers this revision.
    pub deployment_id: String,
    /// Number of times that a deployment has offered it.
    pub revision: u32,
    /// Whether it can be called from outside.
    pub public: bool,
    /// How long the result of an idempotent invocation is kept.
    pub idempotency_retention: String,
    /// How long a workflow's result, state and promises are kept; absent for other services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_completion_retention: Option<String>,
    /// How long a finished journal is kept.
    pub journal_retention: String,
    /// How long an attempt may be idle before its request is half-closed.
    pub inactivity_timeout: String,
    /// How long an attempt may run on after that before it is aborted.
    pub abort_timeout: String,
    /// Whether SDKs request state on demand instead of receiving it with the start of an attempt.
    pub enable_lazy_state: bool,
    /// How failed attempts are retried.
    pub retry_policy: RetryPolicyMetadata,
    /// What an operator should know about a change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub info: Vec<Info>,
}

/// Something that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Info {
    /// What it is, and what to do about it.
    pub message: String,
}

impl Info {
    pub(crate) fn new(message: String) -> Self {
        Self { message }
    }
}

/// How failed attempts are retried.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryPolicyMetadata {
    /// Delay before the first retry.
    pub initial_interval: String,
    /// Each delay is the previous one times this factor.
    pub exponentiation_factor: f64,
    /// Total number of attempts. Null means unlimited.
    pub max_attempts: Option<u32>,
    /// Upper bound of the delay.
    pub max_interval: String,
    /// What happens after the last attempt: `Pause` or `Kill`.
    pub on_max_attempts: &'static str,
}

/// A handler. A setting that is absent is inherited from the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandlerMetadata {
    /// Name of the handler.
    pub name: String,
    /// `Exclusive`, `Shared` or `Workflow`; absent for a plain service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ty: Option<&'static str>,
    /// Documentation for human readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Arbitrary key/value pairs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// As for the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_retention: Option<String>,
    /// As for the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_retention: Option<String>,
    /// As for the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inactivity_timeout: Option<String>,
    /// As for the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_timeout: Option<String>,
    /// As for the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_lazy_state: Option<bool>,
    /// Whether it can be called from outside.
    pub public: bool,
    /// Description of the input.
    pub input_description: String,
    /// Description of the output.
    pub output_description: String,
    /// JSON schema of the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_json_schema: Option<Value>,
    /// JSON schema of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_json_schema: Option<Value>,
    /// The handler's own retry settings.
    pub retry_policy: HandlerRetryPolicyMetadata,
}

/// Retry settings of a handler. One that is absent is inherited from the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandlerRetryPolicyMetadata {
    /// Delay before the first retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_interval: Option<String>,
    /// Each delay is the previous one times this factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponentiation_factor: Option<f64>,
    /// Total number of attempts. Null means that the service decides.
    pub max_attempts: Option<u32>,
    /// Upper bound of the delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<String>,
    /// What happens after the last attempt: `Pause` or `Kill`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_max_attempts: Option<&'static str>,
}

impl From<Service> for ServiceMetadata {
    fn from(seen: Service) -> Self {
        Self {
            name: seen.name,
            ty: seen.kind.name(),
            handlers: seen.handlers.into_iter().map(HandlerMetadata::from).collect(),
            documentation: seen.documentation,
            metadata: seen.metadata.into_iter().collect(),
            deployment_id: seen.deployment.to_string(),
            revision: seen.revision,
            public: seen.is_public,
            idempotency_retention: friendly(seen.idempotency_retention_ms),
            workflow_completion_retention: seen.workflow_retention_ms.map(friendly),
            journal_retention: friendly(seen.journal_retention_ms),
            inactivity_timeout: friendly(seen.attempts.inactivity_timeout_ms),
            abort_timeout: friendly(seen.attempts.abort_timeout_ms),
            enable_lazy_state: seen.attempts.lazy_state,
            retry_policy: seen.attempts.retry.into(),
            info: Vec::new(),
        }
    }
}

impl From<RetryPolicy> for RetryPolicyMetadata {
    fn from(policy: RetryPolicy) -> Self {
        Self {
            initial_interval: friendly(policy.backoff.initial_interval_ms),
            exponentiation_factor: factor(policy.backoff.factor_thousandths),
            max_attempts: policy.max_attempts,
            max_interval: friendly(policy.backoff.max_interval_ms),
            on_max_attempts: action_name(policy.on_max_attempts),
        }
    }
}

impl From<Handler> for HandlerMetadata {
    fn from(seen: Handler) -> Self {
        let (options, input, output) = (seen.options, seen.input, seen.output);
        let schema =
            |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let (input_schema, output_schema) = (schema(input.json_schema), schema(output.json_schema));
        let optional = if output.set_content_type_if_empty { "optional " } else { "" };
        Self {
            name: seen.name,
            ty: match seen.kind {
                HandlerKind::Service => None,
                HandlerKind::Exclusive => Some("Exclusive"),
                HandlerKind::Shared => Some("Shared"),
                HandlerKind::Workflow => Some("Workflow"),
            },
            documentation: seen.documentation,
            metadata: seen.metadata.into_iter().collect(),
            idempotency_retention: options.idempotency_retention_ms.map(friendly),
            journal_retention: options.journal_retention_ms.map(friendly),
            inactivity_timeout: options.inactivity_timeout_ms.map(friendly),
            abort_timeout: options.abort_timeout_ms.map(friendly),
            enable_lazy_state: options.lazy_state,
            public: seen.is_public,
            input_description: described(&input.content_type, input_schema.as_ref(), ""),
            output_description: described(&output.content_type, output_schema.as_ref(), optional),
            input_json_schema: input_schema,
            output_json_schema: output_schema,
            retry_policy: options.retry.into(),
        }
    }
}

impl From<RetryOptions> for HandlerRetryPolicyMetadata {
    fn from(retry: RetryOptions) -> Self {
        Self {
            initial_interval: retry.initial_interval_ms.map(friendly),
            exponentiation_factor: retry.factor_thousandths.map(factor),
            max_attempts: retry.max_attempts,
            max_interval: retry.max_interval_ms.map(friendly),
            on_max_attempts: retry.on_max_attempts.map(action_name),
        }
    }
}

/// A short description of a payload: the title or type in its schema, or else its content type.
fn described(content_type: &Option<String>, schema: Option<&Value>, optional: &str) -> String {
    let Some(content_type) = content_type else { return "none".to_owned() };
    let said = |name| schema.and_then(|schema| schema.get(name)).and_then(Value::as_str);
    match (said("title"), said("type")) {
        (Some(title), _) => format!("JSON '{title}'"),
        (None, Some(ty)) => format!("JSON {ty}"),
        (None, None) => format!("{optional}{content_type}"),
    }
}

fn action_name(action: OnMaxAttempts) -> &'static str {
    match action {
        OnMaxAttempts::Pause => "Pause",
        OnMaxAttempts::Kill => "Kill",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a factor is a small number")]
fn factor(thousandths: u64) -> f64 {
    thousandths as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Expected values as observed on the real server.
    #[test]
    fn payloads_are_described_by_their_schema_or_their_type() {
        let json_type = Some("application/json".to_owned());
        for (schema, text) in [
            (json!({ "title": "Foo", "type": "object" }), "JSON 'Foo'"),
            (json!({ "title": "" }), "JSON ''"),
            (json!({ "type": "string" }), "JSON string"),
            (json!({ "type": ["string", "null"] }), "optional application/json"),
            (json!(true), "optional application/json"),
            (json!({}), "optional application/json"),
        ] {
            assert_eq!(described(&json_type, Some(&schema), "optional "), text, "{schema}");
        }
        assert_eq!(described(&json_type, None, ""), "application/json");
        assert_eq!(described(&None, Some(&json!({ "title": "Foo" })), "optional "), "none");
    }
}
