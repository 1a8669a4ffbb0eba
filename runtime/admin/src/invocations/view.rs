//! The API's representation of an invocation. Its texts come from clients and handlers and may be
//! as large as a message, so each is shown up to a limit.

use runtime_core::model::invocation::AttemptFailure;
use runtime_views::{invocation::Invocation, rfc3339, text};
use serde::Serialize;
use utoipa::ToSchema;

/// How much of each text a list shows, in bytes: enough for a message and the top of a stack trace.
pub(super) const LISTED_TEXT_BYTES_MAX: usize = 1 << 10;
/// How much of each text of a single invocation is shown, in bytes: more than what is kept of a
/// stack trace.
pub(super) const SHOWN_TEXT_BYTES_MAX: usize = 64 << 10;

/// An invocation, as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvocationView {
    /// Its id, `inv_...`.
    pub id: String,
    /// The handler that it runs, as `service/key/handler`.
    pub target: String,
    /// `scheduled`, `pending`, `running`, `backing-off`, `suspended`, `paused` or `completed`.
    pub status: &'static str,
    /// When it was created.
    pub created_at: String,
    /// When its status last changed.
    pub modified_at: String,
    /// When its next attempt starts, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_retry_at: Option<String>,
    /// The deployment that it is pinned to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    /// Failed attempts since it last made progress.
    pub retry_count: u32,
    /// Number of entries in its journal.
    pub journal_size: u32,
    /// The client's idempotency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<FailureView>,
    /// Its failure, if it ended with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_failure: Option<String>,
    /// The invocation that it is a restart of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarted_from: Option<String>,
}

/// Why an attempt failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureView {
    /// A code like an HTTP status.
    pub code: u32,
    /// The runtime's code for the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What went wrong.
    pub message: String,
    /// Stack trace of the user code.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stacktrace: String,
    /// Name of the command that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related_command_name: Option<String>,
    /// Index of that command in the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related_command_index: Option<u32>,
}

impl From<Invocation> for InvocationView {
    fn from(seen: Invocation) -> Self {
        Self {
            id: seen.id.to_string(),
            target: seen.target,
            status: text::status(seen.status),
            created_at: rfc3339::shortest(seen.created_at.0),
            modified_at: rfc3339::shortest(seen.modified_at.0),
            next_retry_at: seen.next_attempt_at.map(|at| rfc3339::shortest(at.0)),
            deployment_id: seen.deployment.map(|deployment| deployment.to_string()),
            retry_count: seen.failures,
            journal_size: seen.journal_len,
            idempotency_key: seen.idempotency_key,
            last_failure: seen.last_failure.map(FailureView::from),
            completion_failure: seen.completion_failure,
            restarted_from: seen.restarted_from.map(|id| id.to_string()),
        }
    }
}

impl InvocationView {
    /// Its size as JSON, in bytes.
    pub(super) fn json_bytes(&self) -> usize {
        #[expect(clippy::expect_used, reason = "a Vec takes all, and texts and numbers are JSON")]
        let json = serde_json::to_vec(self).expect("an invocation is JSON");
        json.len()
    }
}

impl From<AttemptFailure> for FailureView {
    fn from(failure: AttemptFailure) -> Self {
        let (name, index) =
            failure.related_command.map_or((None, None), |command| (command.name, command.index));
        Self {
            code: failure.code,
            error_code: failure.error_code,
            message: failure.message,
            stacktrace: failure.stacktrace,
            related_command_name: name,
            related_command_index: index,
        }
    }
}
