//! Settings of a service are changed.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::config::{self, path};
use crate::{
    args::{LayoutFlags, ReasonFlag, ServerFlags},
    client::Client,
    error::Error,
};

/// Which settings to change.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// Name of the service.
    name: String,

    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    why: ReasonFlag,

    #[command(flatten)]
    layout: LayoutFlags,

    #[command(flatten)]
    server: ServerFlags,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Settings {
    /// Whether clients may call it at the ingress.
    #[arg(long, value_name = "BOOL")]
    public: Option<bool>,

    /// Keep the result of an idempotent invocation for so long.
    #[arg(long, value_name = "DURATION")]
    idempotency_retention: Option<String>,

    /// Keep a workflow's result, state and promises for so long.
    #[arg(long, value_name = "DURATION")]
    workflow_completion_retention: Option<String>,

    /// Keep a finished journal for so long.
    #[arg(long, value_name = "DURATION")]
    journal_retention: Option<String>,

    /// Ask an attempt to suspend once it has been idle for so long.
    #[arg(long, value_name = "DURATION")]
    inactivity_timeout: Option<String>,

    /// Abort an attempt that has not ended so long after that.
    #[arg(long, value_name = "DURATION")]
    abort_timeout: Option<String>,

    /// Whether handlers request state when they need it, instead of getting it when they start.
    #[arg(long, value_name = "BOOL")]
    enable_lazy_state: Option<bool>,

    /// Delay before the first retry.
    #[arg(long, value_name = "DURATION")]
    retry_initial_interval: Option<String>,

    /// Each delay is the previous one times this, which is at least 1.
    #[arg(long, value_name = "FACTOR")]
    retry_exponentiation_factor: Option<f64>,

    /// The longest delay.
    #[arg(long, value_name = "DURATION")]
    retry_max_interval: Option<String>,

    /// Total number of attempts.
    #[arg(long, value_name = "COUNT")]
    retry_max_attempts: Option<u32>,

    /// What happens after the last attempt.
    #[arg(long)]
    retry_on_max_attempts: Option<LastResort>,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
enum LastResort {
    /// Wait for an operator.
    Pause,
    /// End the invocation with the last failure.
    Kill,
}

pub(super) async fn set(flags: &Set) -> Result<(), Error> {
    let client = Client::new(flags.server.admin.clone());
    let body = body(&flags.settings);
    let service: Map<String, Value> =
        client.patch(&flags.why.said_in(&path(&flags.name)), &body).await?;
    config::show(&flags.name, &service, &flags.layout)
}

/// The request, with what was typed alone.
fn body(settings: &Settings) -> Value {
    let retries = json!({
        "initial_interval": settings.retry_initial_interval,
        "exponentiation_factor": settings.retry_exponentiation_factor,
        "max_interval": settings.retry_max_interval,
        "max_attempts": settings.retry_max_attempts,
        "on_max_attempts": settings.retry_on_max_attempts,
    });
    let retries = without_nulls(retries);
    let has_retries = retries.as_object().is_some_and(|retries| !retries.is_empty());
    without_nulls(json!({
        "public": settings.public,
        "idempotency_retention": settings.idempotency_retention,
        "workflow_completion_retention": settings.workflow_completion_retention,
        "journal_retention": settings.journal_retention,
        "inactivity_timeout": settings.inactivity_timeout,
        "abort_timeout": settings.abort_timeout,
        "enable_lazy_state": settings.enable_lazy_state,
        "retry_policy": has_retries.then_some(retries),
    }))
}

fn without_nulls(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        set: Set,
    }

    fn typed(flags: &[&str]) -> Result<Value, String> {
        let line = Line::try_parse_from(["set", "Greeter"].iter().chain(flags));
        Ok(body(&line.map_err(|error| error.to_string())?.set.settings))
    }

    #[test]
    fn the_request_has_what_was_typed_and_nothing_else() {
        assert_eq!(typed(&["--public", "false"]), Ok(json!({ "public": false })));
        let flags =
            ["--abort-timeout", "1d 12h", "--retry-max-attempts=3", "--retry-on-max-attempts=kill"];
        let expected = json!({
            "abort_timeout": "1d 12h",
            "retry_policy": { "max_attempts": 3, "on_max_attempts": "Kill" },
        });
        assert_eq!(typed(&flags), Ok(expected));
    }

    #[test]
    fn a_setting_has_to_be_given() {
        let refused = typed(&[]).unwrap_err();
        assert!(refused.contains("--idempotency-retention"), "{refused}");
        assert!(typed(&["--public", "maybe"]).unwrap_err().contains("[possible values"));
    }
}
