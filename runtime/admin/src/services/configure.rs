//! Settings of a service are changed. They stay until its endpoint is discovered again, with which a
//! revision gets the settings of its manifest.

use axum::extract::State;
use protocol::ServiceKind;
use runtime_core::{
    effect::Configured,
    model::deployment::{OnMaxAttempts, RetryOptions, ServiceDefinition, ServiceOptions},
};
use runtime_schema::registration::thousandths;
use runtime_views::duration;
use serde::{Deserialize, Deserializer, de::Error};
use utoipa::ToSchema;

use super::{of, unknown};
use crate::{
    Admin,
    error::{ErrorBody, Refusal},
    extract::{Json, Path, Query},
    metadata::{Info, ServiceMetadata},
    operator::{Said, operator},
};

/// The settings to change. What is left out stays as it is. Durations are human-readable, such as
/// `1d 12h`, or as in ISO 8601.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
pub struct Configure {
    /// Whether it can be called from outside.
    pub public: Option<bool>,
    /// How long the result of an idempotent invocation is kept.
    #[schema(value_type = Option<String>)]
    pub idempotency_retention: Option<Duration>,
    /// How long a workflow's result, state and promises are kept.
    #[schema(value_type = Option<String>)]
    pub workflow_completion_retention: Option<Duration>,
    /// How long a finished journal is kept.
    #[schema(value_type = Option<String>)]
    pub journal_retention: Option<Duration>,
    /// How long an attempt may be idle before its request is half-closed.
    #[schema(value_type = Option<String>)]
    pub inactivity_timeout: Option<Duration>,
    /// How long an attempt may run on after that before it is aborted.
    #[schema(value_type = Option<String>)]
    pub abort_timeout: Option<Duration>,
    /// Whether SDKs request state on demand instead of receiving it with the start of an attempt.
    pub enable_lazy_state: Option<bool>,
    /// How failed attempts are retried.
    pub retry_policy: Option<ConfigureRetries>,
}

/// How failed attempts are retried. What is left out stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
pub struct ConfigureRetries {
    /// Delay before the first retry.
    #[schema(value_type = Option<String>)]
    pub initial_interval: Option<Duration>,
    /// Each delay is the previous one times this factor, from 1 to 1000.
    pub exponentiation_factor: Option<f64>,
    /// Total number of attempts, at least 1.
    pub max_attempts: Option<u32>,
    /// Upper bound of the delay.
    #[schema(value_type = Option<String>)]
    pub max_interval: Option<Duration>,
    /// What happens after the last attempt.
    pub on_max_attempts: Option<LastResort>,
}

/// What happens after the last attempt.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub enum LastResort {
    /// Wait for an operator.
    Pause,
    /// End the invocation with the last failure.
    Kill,
}

/// A duration in milliseconds, which is written for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(u64);

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refused = |reason| D::Error::custom(format!("'{text}' is not a duration: {reason}"));
        duration::parse_ms(&text).map(Self).map_err(refused)
    }
}

/// Changes settings of a service until its endpoint is discovered again.
#[utoipa::path(
    patch, path = "/services/{service}", params(Said), request_body = Configure,
    responses(
        (status = 200, body = ServiceMetadata), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "a field has the wrong type, or is no duration"),
    )
)]
pub async fn configure(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    Query(said): Query<Said>,
    Json(request): Json<Configure>,
) -> Result<Json<ServiceMetadata>, Refusal> {
    let operator = operator(said.reason)?;
    let changes = request.options()?;
    let registry = admin.registry.snapshot();
    let service = registry.service(&name).ok_or_else(|| unknown(&name))?.definition();
    if changes.workflow_retention_ms.is_some() && service.kind != ServiceKind::Workflow {
        return Err(not_a_workflow(&name));
    }
    if changes != ServiceOptions::default() {
        match admin.partitions.configure(operator, name.clone(), changes.clone()).await? {
            Configured::Done => (),
            Configured::NotFound => return Err(unknown(&name)),
            Configured::NotAWorkflow => return Err(not_a_workflow(&name)),
        }
    }
    let metadata = of(&admin, &name)?;
    Ok(Json(ServiceMetadata { info: without_effect(service, &changes), ..metadata }))
}

fn not_a_workflow(name: &str) -> Refusal {
    Refusal::BadRequest(format!(
        "'workflow_completion_retention' is for workflows, and service '{name}' is none; \
         'idempotency_retention' says how long its results are kept"
    ))
}

impl Configure {
    fn options(self) -> Result<ServiceOptions, Refusal> {
        let ms = |duration: Option<Duration>| duration.map(|Duration(ms)| ms);
        Ok(ServiceOptions {
            inactivity_timeout_ms: ms(self.inactivity_timeout),
            abort_timeout_ms: ms(self.abort_timeout),
            journal_retention_ms: ms(self.journal_retention),
            idempotency_retention_ms: ms(self.idempotency_retention),
            workflow_retention_ms: ms(self.workflow_completion_retention),
            lazy_state: self.enable_lazy_state,
            ingress_private: self.public.map(|is_public| !is_public),
            retry: self
                .retry_policy
                .map(ConfigureRetries::options)
                .transpose()?
                .unwrap_or_default(),
        })
    }
}

impl ConfigureRetries {
    fn options(self) -> Result<RetryOptions, Refusal> {
        let ms = |duration: Option<Duration>| duration.map(|Duration(ms)| ms);
        if let Some(factor) = self.exponentiation_factor
            && !(1.0..=1000.0).contains(&factor)
        {
            return Err(Refusal::BadRequest(format!(
                "'retry_policy.exponentiation_factor' is {factor}, expected a number from 1 to 1000"
            )));
        }
        if self.max_attempts == Some(0) {
            let message = "'retry_policy.max_attempts' is 0, but an invocation needs an attempt";
            return Err(Refusal::BadRequest(message.to_owned()));
        }
        Ok(RetryOptions {
            initial_interval_ms: ms(self.initial_interval),
            max_interval_ms: ms(self.max_interval),
            max_attempts: self.max_attempts,
            factor_thousandths: self.exponentiation_factor.map(thousandths),
            on_max_attempts: self.on_max_attempts.map(|last| match last {
                LastResort::Pause => OnMaxAttempts::Pause,
                LastResort::Kill => OnMaxAttempts::Kill,
            }),
        })
    }
}

/// The settings that a change can reach, with their names.
type Setting = (&'static str, fn(&ServiceOptions) -> bool);

const SETTINGS: [Setting; 11] = [
    ("public", |options| options.ingress_private.is_some()),
    ("idempotency_retention", |options| options.idempotency_retention_ms.is_some()),
    ("journal_retention", |options| options.journal_retention_ms.is_some()),
    ("inactivity_timeout", |options| options.inactivity_timeout_ms.is_some()),
    ("abort_timeout", |options| options.abort_timeout_ms.is_some()),
    ("enable_lazy_state", |options| options.lazy_state.is_some()),
    ("retry_policy.initial_interval", |options| options.retry.initial_interval_ms.is_some()),
    ("retry_policy.exponentiation_factor", |options| options.retry.factor_thousandths.is_some()),
    ("retry_policy.max_attempts", |options| options.retry.max_attempts.is_some()),
    ("retry_policy.max_interval", |options| options.retry.max_interval_ms.is_some()),
    ("retry_policy.on_max_attempts", |options| options.retry.on_max_attempts.is_some()),
];

/// How many handlers a message names.
const NAMED_MAX: usize = 20;

/// The handlers that a change does not reach, since their manifest has settings of their own.
fn without_effect(service: &ServiceDefinition, changes: &ServiceOptions) -> Vec<Info> {
    let changed = SETTINGS.iter().filter(|(_, is_set)| is_set(changes));
    let unreached = changed.filter_map(|(setting, is_set)| {
        let own = service.handlers.iter().filter(|handler| is_set(&handler.options));
        let own: Vec<_> = own.map(|handler| format!("'{}'", handler.name)).collect();
        if own.is_empty() {
            return None;
        }
        let more = own.len().saturating_sub(NAMED_MAX);
        let mut named = own[..own.len() - more].join(", ");
        if more > 0 {
            named = format!("{named} and {more} more");
        }
        Some(Info::new(format!(
            "'{setting}' has no effect on {named}: their endpoint sets it for each of these \
             handlers, which comes before the setting of the service"
        )))
    });
    unreached.collect()
}

#[cfg(test)]
mod tests {
    use protocol::HandlerKind;
    use runtime_core::model::deployment::{HandlerDefinition, InputRule, OutputRule};
    use serde_json::{Value, json};

    use super::*;

    fn options(body: Value) -> Result<ServiceOptions, String> {
        let request: Configure = serde_json::from_value(body).map_err(|error| error.to_string())?;
        request.options().map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn null_leaves_a_setting_as_it_is() {
        let body = json!({
            "public": null, "abort_timeout": null, "retry_policy": null, "frobnicate": 1,
        });
        assert_eq!(options(body), Ok(ServiceOptions::default()));
        let body = json!({
            "public": false, "journal_retention": "1d 12h", "inactivity_timeout": "PT30S",
            "retry_policy": { "exponentiation_factor": 1.5, "on_max_attempts": "Kill" },
        });
        let expected = ServiceOptions {
            ingress_private: Some(true),
            journal_retention_ms: Some(129_600_000),
            inactivity_timeout_ms: Some(30_000),
            retry: RetryOptions {
                factor_thousandths: Some(1500),
                on_max_attempts: Some(OnMaxAttempts::Kill),
                ..RetryOptions::default()
            },
            ..ServiceOptions::default()
        };
        assert_eq!(options(body), Ok(expected));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (body, says) in [
            (json!({ "abort_timeout": "soon" }), "'soon' is not a duration"),
            (json!({ "abort_timeout": "-1s" }), "it can't be negative"),
            (json!({ "retry_policy": { "max_attempts": 0 } }), "needs an attempt"),
            (json!({ "retry_policy": { "exponentiation_factor": 0.5 } }), "from 1 to 1000"),
            (json!({ "retry_policy": { "on_max_attempts": "Stop" } }), "`Pause` or `Kill`"),
        ] {
            let refused = options(body).unwrap_err();
            assert!(refused.contains(says), "{refused}");
        }
    }

    #[test]
    fn handlers_with_settings_of_their_own_are_named() {
        let handler = |name: &str, options| HandlerDefinition {
            name: name.to_owned(),
            kind: HandlerKind::Shared,
            options,
            input: InputRule { required: false, content_type: None, json_schema: None },
            output: OutputRule::default(),
            documentation: None,
            metadata: Vec::new(),
        };
        let own = ServiceOptions { abort_timeout_ms: Some(1), ..ServiceOptions::default() };
        let service = ServiceDefinition {
            name: "S".to_owned(),
            kind: ServiceKind::VirtualObject,
            handlers: vec![handler("a", own.clone()), handler("b", ServiceOptions::default())],
            options: ServiceOptions::default(),
            documentation: None,
            metadata: Vec::new(),
        };
        let [info] = &without_effect(&service, &own)[..] else { panic!("one setting") };
        assert!(info.message.starts_with("'abort_timeout' has no effect on 'a':"), "{info:?}");
        let other = ServiceOptions { journal_retention_ms: Some(1), ..ServiceOptions::default() };
        assert_eq!(without_effect(&service, &other), []);
    }
}
