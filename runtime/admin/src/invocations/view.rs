//! What the API says of an invocation. Its texts are its clients' and its handler's own, and may be as
//! large as a message: what is shown of each is bounded.

use runtime_core::{
    effect,
    event::AttemptFailure,
    tables::invocation::{Invocation, Status, StatusKind, WaitingFor},
};
use runtime_http::rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

use crate::text;

/// What a list shows of each text, in bytes: a message, and the top of a stack trace.
pub(super) const LISTED_TEXT_BYTES_MAX: usize = 1 << 10;
/// What is shown of each text of a single invocation, in bytes: more than is kept of a stack trace.
pub(super) const SHOWN_TEXT_BYTES_MAX: usize = 64 << 10;

pub(super) const STATUSES: [(StatusKind, &str); 7] = [
    (StatusKind::Scheduled, "scheduled"),
    (StatusKind::Inboxed, "pending"),
    (StatusKind::Running, "running"),
    (StatusKind::BackingOff, "backing-off"),
    (StatusKind::Suspended, "suspended"),
    (StatusKind::Paused, "paused"),
    (StatusKind::Completed, "completed"),
];

/// An invocation.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvocationView {
    /// Its id.
    pub id: String,
    /// The handler it runs.
    pub target: String,
    /// `scheduled`, `pending`, `running`, `backing-off`, `suspended`, `paused` or `completed`.
    pub status: &'static str,
    /// When it was asked for.
    pub created_at: String,
    /// When its status last changed.
    pub modified_at: String,
    /// When its next attempt starts, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<String>,
    /// The deployment it stays with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// Attempts that failed since it last got further.
    pub retry_count: u32,
    /// Entries in its journal.
    pub journal_size: u32,
    /// The client's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Why the last attempt broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<FailureView>,
    /// What it ended with, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_failure: Option<String>,
}

/// Why an attempt broke off.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureView {
    /// HTTP-like code.
    pub code: u32,
    /// The runtime's code for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What went wrong.
    pub message: String,
    /// The user's stack trace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stacktrace: String,
    /// Name of the command it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related_command_name: Option<String>,
    /// Index of that command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related_command_index: Option<u32>,
}

impl InvocationView {
    /// What is said of an invocation: so many bytes of each text.
    pub(super) fn of(row: &Invocation, text_bytes_max: usize) -> Self {
        let cut = |text: &str| text::cut(text, text_bytes_max);
        let kind = row.status.kind();
        let status = STATUSES.iter().find(|(known, _)| *known == kind).map_or("", |(_, name)| name);
        let next_attempt_at = match row.status {
            Status::Waiting(WaitingFor::Start { at } | WaitingFor::Retry { at }) => {
                Some(rfc3339::shortest(at.0))
            }
            Status::Waiting(WaitingFor::Object { .. } | WaitingFor::Notification { .. })
            | Status::Running { .. }
            | Status::Paused
            | Status::Completed { .. } => None,
        };
        let completion_failure = match &row.status {
            Status::Completed { completion, .. } => completion.result.as_ref().err(),
            Status::Waiting(_) | Status::Running { .. } | Status::Paused => None,
        };
        Self {
            id: row.id.to_string(),
            target: cut(&row.target.to_string()),
            status,
            created_at: rfc3339::shortest(row.created_at.0),
            modified_at: rfc3339::shortest(row.modified_at.0),
            next_attempt_at,
            deployment_id: row.pin.map(|pin| pin.deployment.to_string()),
            retry_count: effect::failures(row.retry_count, row.policy_attempts, row.unsent),
            journal_size: row.journal_len,
            idempotency_key: row.idempotency_key.as_deref().map(cut),
            last_failure: row
                .last_failure
                .as_deref()
                .map(|failure| FailureView::of(failure, text_bytes_max)),
            completion_failure: completion_failure
                .map(|failure| cut(&format!("[{}] {}", failure.code, failure.message))),
        }
    }

    /// How long it is as JSON, in bytes.
    pub(super) fn json_bytes(&self) -> usize {
        #[expect(clippy::expect_used, reason = "a Vec takes all, and texts and numbers are JSON")]
        let json = serde_json::to_vec(self).expect("an invocation is JSON");
        json.len()
    }
}

impl FailureView {
    fn of(failure: &AttemptFailure, text_bytes_max: usize) -> Self {
        let cut = |text: &str| text::cut(text, text_bytes_max);
        let command = failure.related_command.as_ref();
        Self {
            code: failure.code,
            error_code: failure.error_code.clone(),
            message: cut(&failure.message),
            stacktrace: cut(&failure.stacktrace),
            related_command_name: command.and_then(|command| command.name.as_deref()).map(cut),
            related_command_index: command.and_then(|command| command.index),
        }
    }
}
