//! Invocations: look at one, list them, cancel, kill, remove.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use jiff::Timestamp as Moment;
use protocol::InvocationId;
use runtime_core::{
    Lsn, PartitionId,
    effect::{Answer, Control, Purged},
    event::Event,
    tables::{
        Tables,
        invocation::{Invocation, Status, StatusKind, WaitingFor},
    },
    time::Timestamp,
};
use runtime_partition::Stopped;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Admin,
    error::{ErrorBody, Refusal},
};

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

/// Some invocations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invocations {
    /// Oldest first, partition by partition.
    pub invocations: Vec<InvocationView>,
}

/// Which invocations to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct List {
    /// One of the statuses; all but `completed` when absent.
    pub status: Option<String>,
    /// At most this many of each partition; 100 when absent.
    pub limit: Option<usize>,
}

/// How to end an invocation.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Delete {
    /// `cancel` (the default), `kill` or `purge`.
    pub mode: Option<Mode>,
}

/// How to end an invocation; the names are said in either case.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Ask it to come to an end.
    #[serde(alias = "Cancel")]
    Cancel,
    /// End it, and what it has started.
    #[serde(alias = "Kill")]
    Kill,
    /// Remove it, if it has ended.
    #[serde(alias = "Purge")]
    Purge,
}

const STATUSES: [(StatusKind, &str); 7] = [
    (StatusKind::Scheduled, "scheduled"),
    (StatusKind::Inboxed, "pending"),
    (StatusKind::Running, "running"),
    (StatusKind::BackingOff, "backing-off"),
    (StatusKind::Suspended, "suspended"),
    (StatusKind::Paused, "paused"),
    (StatusKind::Completed, "completed"),
];

/// Most invocations that one request lists of each partition.
const LIST_MAX: usize = 1000;

/// Lists invocations.
#[utoipa::path(
    get, path = "/invocations", params(List),
    responses((status = 200, body = Invocations), (status = 400, body = ErrorBody))
)]
pub async fn list(
    State(admin): State<Admin>,
    Query(List { status, limit }): Query<List>,
) -> Result<Json<Invocations>, Refusal> {
    let wanted: Vec<StatusKind> = match &status {
        None => STATUSES
            .into_iter()
            .map(|(kind, _)| kind)
            .filter(|kind| *kind != StatusKind::Completed)
            .collect(),
        Some(name) => {
            let known = STATUSES.iter().find(|(_, known)| known == name);
            let unknown = || {
                let names = STATUSES.map(|(_, name)| name).join(", ");
                Refusal::BadRequest(format!("unknown status '{name}', expected one of {names}"))
            };
            vec![known.ok_or_else(unknown)?.0]
        }
    };
    let limit = limit.unwrap_or(100).min(LIST_MAX);
    let mut invocations = Vec::new();
    for partition in (0..admin.partitions.count()).map(PartitionId) {
        let wanted = wanted.clone();
        let found = admin
            .partitions
            .read(partition, move |tables| {
                let mut found = Vec::new();
                for kind in wanted {
                    let lsns = tables.by_status(kind, Lsn(0), limit - found.len());
                    found.extend(lsns.into_iter().filter_map(|lsn| tables.invocation(lsn)));
                }
                found
            })
            .await?;
        invocations.extend(found.iter().map(|row| view(row)));
    }
    Ok(Json(Invocations { invocations }))
}

/// One invocation.
#[utoipa::path(
    get, path = "/invocations/{invocation}",
    responses((status = 200, body = InvocationView), (status = 404, body = ErrorBody))
)]
pub async fn get(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Json<InvocationView>, Refusal> {
    let target = parse(&id)?;
    let partition = admin.partitions.owner(target.partition_key);
    let read = move |tables: &Tables<'_>| tables.invocation(tables.invocation_lsn(target)?);
    match admin.partitions.read(partition, read).await? {
        Some(row) => Ok(Json(view(&row))),
        None => Err(unknown(id)),
    }
}

/// Cancels, kills or removes an invocation; the older form of the three below, which says nothing of
/// what became of it.
#[utoipa::path(
    delete, path = "/invocations/{invocation}", params(Delete),
    responses((status = 202), (status = 400, body = ErrorBody))
)]
pub async fn delete(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(Delete { mode }): Query<Delete>,
) -> Result<StatusCode, Refusal> {
    let target = parse(&id)?;
    match mode.unwrap_or(Mode::Cancel) {
        Mode::Cancel => control(&admin, target, false).await.map(|_| ())?,
        Mode::Kill => control(&admin, target, true).await.map(|_| ())?,
        Mode::Purge => remove(&admin, target).await.map(|_| ())?,
    }
    Ok(StatusCode::ACCEPTED)
}

/// Asks an invocation to come to an end.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/cancel",
    responses(
        (status = 200, description = "it had not started, and has ended"),
        (status = 202, description = "it was told"),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)
    )
)]
pub async fn cancel(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let outcome = control(&admin, parse(&id)?, false).await?;
    status_of(outcome, id)
}

/// Ends an invocation and all that it has started; no user code runs any more.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/kill",
    responses((status = 200), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody))
)]
pub async fn kill(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let outcome = control(&admin, parse(&id)?, true).await?;
    status_of(outcome, id)
}

/// Removes an invocation that has ended, with its journal and its result, before its time.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/purge",
    responses((status = 200), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody))
)]
pub async fn purge(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    match remove(&admin, parse(&id)?).await? {
        Purged::Removed => Ok(StatusCode::OK),
        Purged::NotFound => Err(unknown(id)),
        Purged::NotCompleted => Err(Refusal::Conflict(format!(
            "invocation '{id}' has not ended, and only what has can be removed; cancel or kill it first"
        ))),
    }
}

async fn remove(admin: &Admin, target: InvocationId) -> Result<Purged, Refusal> {
    let partition = admin.partitions.owner(target.partition_key);
    let event = |request| Event::PurgeRequested { request, target };
    let answer = admin.partitions.request(partition, (), event).await?;
    // The machine answers this request in no other way.
    let Answer::Purged(purged) = answer else { return Err(Stopped.into()) };
    Ok(purged)
}

async fn control(admin: &Admin, target: InvocationId, kill: bool) -> Result<Control, Refusal> {
    let partition = admin.partitions.owner(target.partition_key);
    let event = |request| {
        if kill {
            Event::KillRequested { request, target }
        } else {
            Event::CancelRequested { request, target }
        }
    };
    let answer = admin.partitions.request(partition, (), event).await?;
    // The machine answers these requests in no other way.
    let Answer::Control(control) = answer else { return Ok(Control::NotFound) };
    Ok(control)
}

fn status_of(outcome: Control, id: String) -> Result<StatusCode, Refusal> {
    match outcome {
        Control::Ended => Ok(StatusCode::OK),
        Control::Signalled => Ok(StatusCode::ACCEPTED),
        Control::NotFound => Err(unknown(id)),
        Control::AlreadyCompleted => {
            Err(Refusal::Conflict(format!("invocation '{id}' has already completed")))
        }
    }
}

fn view(row: &Invocation) -> InvocationView {
    let kind = row.status.kind();
    let status = STATUSES.iter().find(|(known, _)| *known == kind).map_or("", |(_, name)| name);
    let next_attempt_at = match row.status {
        Status::Waiting(WaitingFor::Start { at } | WaitingFor::Retry { at }) => Some(moment(at)),
        Status::Waiting(WaitingFor::Object { .. } | WaitingFor::Notification { .. })
        | Status::Running { .. }
        | Status::Paused
        | Status::Completed { .. } => None,
    };
    let completion_failure = match &row.status {
        Status::Completed { completion, .. } => completion.result.as_ref().err(),
        Status::Waiting(_) | Status::Running { .. } | Status::Paused => None,
    };
    InvocationView {
        id: row.id.to_string(),
        target: row.target.to_string(),
        status,
        created_at: moment(row.created_at),
        modified_at: moment(row.modified_at),
        next_attempt_at,
        deployment_id: row.pin.map(|pin| pin.deployment.to_string()),
        // The first leaves out attempts that never got to the handler, the second those that asked for a
        // pause of their own, the third all that were sent.
        retry_count: row.retry_count.max(row.policy_attempts).max(row.unsent),
        journal_size: row.journal_len,
        idempotency_key: row.idempotency_key.clone(),
        last_failure: row.last_failure.as_ref().map(|failure| FailureView {
            code: failure.code,
            error_code: failure.error_code.clone(),
            message: failure.message.clone(),
            stacktrace: failure.stacktrace.clone(),
            related_command_name: failure
                .related_command
                .as_ref()
                .and_then(|command| command.name.clone()),
            related_command_index: failure
                .related_command
                .as_ref()
                .and_then(|command| command.index),
        }),
        completion_failure: completion_failure
            .map(|failure| format!("[{}] {}", failure.code, failure.message)),
    }
}

fn moment(at: Timestamp) -> String {
    let at_ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    Moment::from_millisecond(at_ms).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

fn parse(id: &str) -> Result<InvocationId, Refusal> {
    id.parse().map_err(|error: protocol::ids::IdParseError| {
        Refusal::BadRequest(format!("bad invocation id '{id}': {error}"))
    })
}

fn unknown(name: String) -> Refusal {
    Refusal::NotFound { what: "invocation", name }
}
