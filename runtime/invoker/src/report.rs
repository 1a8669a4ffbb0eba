//! Logging of failed attempts: a line for the first failure in a row, for every tenth, when the
//! error code changes, and for the last; and one when the invocation makes progress again. All text
//! from outside is quoted, so that it can't forge a log line.

use protocol::DeploymentId;
use runtime_core::{
    effect::StartAttempt,
    event::Event,
    model::{
        deployment::StoredDeployment,
        invocation::{AfterFailure, AttemptFailure},
    },
};
use runtime_schema::address;

/// Errors are truncated to this length; the invocation's status has more of the text.
const SHOWN_CHARS_MAX: usize = 500;
/// After the first failure, one in this many is logged.
const EACH: u32 = 10;

/// Logs the fate of an attempt that proposes this event. Call it for each event, in order;
/// `has_stored` is whether the attempt has stored anything before.
pub(crate) fn note(
    start: &StartAttempt,
    deployment: Option<&StoredDeployment>,
    has_stored: bool,
    event: &Event,
) {
    if let Event::AttemptFailedOn { failure, next, .. } = event {
        // An attempt that has stored something ends the series of failures before it.
        let before = if has_stored { 0 } else { start.failures() };
        failed(start, deployment, before.saturating_add(1), failure, next);
    } else if !has_stored && start.failures() > 0 {
        tracing::info!(
            invocation = %start.id,
            target = ?start.target.to_string(),
            failures = start.failures(),
            "an invocation makes progress again after failed attempts"
        );
    }
}

fn failed(
    start: &StartAttempt,
    deployment: Option<&StoredDeployment>,
    failures: u32,
    failure: &AttemptFailure,
    next: &AfterFailure,
) {
    let then = match next {
        AfterFailure::Retry { delay_ms, .. }
        | AfterFailure::RetryUnreached { delay_ms, .. }
        | AfterFailure::RetryUnsent { delay_ms } => {
            let known = start.last_failure.as_ref();
            let is_another = known.is_none_or(|(code, error_code)| {
                (*code, error_code) != (failure.code, &failure.error_code)
            });
            if failures != 1 && !failures.is_multiple_of(EACH) && !is_another {
                return;
            }
            format!("next attempt in {delay_ms} ms")
        }
        AfterFailure::Pause => {
            "paused: mend its service and resume it, or cancel or kill it".to_owned()
        }
        AfterFailure::Kill(_) => "no attempts left: the invocation ends with this error".to_owned(),
        AfterFailure::Fail(_) => "the invocation ends with this error".to_owned(),
    };
    let deployment = deployment.map(|stored| &stored.deployment);
    let id = deployment.map_or(DeploymentId(0), |deployment| deployment.id);
    let shown = match failure.message.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &failure.message[..end]),
        None => failure.message.clone(),
    };
    tracing::warn!(
        invocation = %start.id,
        target = ?start.target.to_string(),
        deployment = deployment.map(|_| tracing::field::display(id)),
        address = deployment.map(|deployment| address::shown(&deployment.uri)),
        failures,
        code = failure.code,
        error = ?shown,
        then,
        "an attempt failed"
    );
}
