//! Invocations: get and list, and what operators can do to them.

pub mod batch;
pub mod operations;
mod page;
pub mod restart;
mod view;

use axum::{extract::State, http::StatusCode};
use protocol::InvocationId;
use runtime_core::model::{invocation::StatusKind, operation::Operation};
use runtime_views::{
    invocation,
    text::{STATUSES, status_of},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Admin,
    error::{ErrorBody, Refusal, Thing},
    extract::{Json, Path, Query},
    operator::operator,
    text,
};
use view::SHOWN_TEXT_BYTES_MAX;
pub use view::{FailureView, InvocationView};

/// A page of invocations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invocations {
    /// Oldest first, partition by partition.
    pub invocations: Vec<InvocationView>,
    /// The `after` parameter of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which invocations to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct List {
    /// One of the statuses. All but `completed` when absent.
    pub status: Option<String>,
    /// Largest number of invocations, from 1 to 1000; 100 when absent. A page of large ones has
    /// fewer.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    pub limit: Option<String>,
    /// The `next` of the previous page. The first page when absent.
    pub after: Option<String>,
}

/// How to end an invocation.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Delete {
    /// `cancel` (the default), `kill` or `purge`.
    #[param(value_type = Option<Mode>)]
    pub mode: Option<String>,
}

/// How to end an invocation. The names may be lower or title case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Mode {
    /// Ask it to end.
    Cancel,
    /// End it and everything that it has started.
    Kill,
    /// Remove it if it has ended.
    Purge,
}

impl Mode {
    fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "cancel" | "Cancel" => Ok(Self::Cancel),
            "kill" | "Kill" => Ok(Self::Kill),
            "purge" | "Purge" => Ok(Self::Purge),
            other => Err(Refusal::BadRequest(format!(
                "'mode' is '{}', expected cancel, kill or purge",
                text::shown(other)
            ))),
        }
    }
}

/// Lists invocations, a page at a time: up to `limit` of them and up to 4 MiB. Texts are cut at 1
/// KiB, with a note; getting a single invocation returns up to 64 KiB of each.
#[utoipa::path(
    get, path = "/invocations", params(List),
    responses((status = 200, body = Invocations), (status = 400, body = ErrorBody))
)]
pub async fn list(
    State(admin): State<Admin>,
    Query(List { status, limit, after }): Query<List>,
) -> Result<Json<Invocations>, Refusal> {
    let wanted = wanted(status.as_deref())?;
    page::read(&admin, wanted, limit.as_deref(), after.as_deref()).await.map(Json)
}

fn wanted(status: Option<&str>) -> Result<Vec<StatusKind>, Refusal> {
    let Some(name) = status else {
        let kinds = STATUSES.into_iter().map(|(kind, _)| kind);
        return Ok(kinds.filter(|kind| *kind != StatusKind::Completed).collect());
    };
    let unknown = || {
        let names = STATUSES.map(|(_, name)| name).join(", ");
        let name = text::shown(name);
        Refusal::BadRequest(format!("'status' is '{name}', expected one of {names}"))
    };
    Ok(vec![status_of(name).ok_or_else(unknown)?])
}

/// Returns one invocation.
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
    let one = invocation::One { id: target, text_bytes_max: SHOWN_TEXT_BYTES_MAX };
    let seen = admin.partitions.read(partition, one).await?;
    seen.map(|seen| Json(seen.into())).ok_or_else(|| unknown(id))
}

/// Cancels, kills or removes an invocation. The older form of three operations, which does not
/// report the outcome.
#[utoipa::path(
    delete, path = "/invocations/{invocation}", params(Delete),
    responses((status = 202), (status = 400, body = ErrorBody))
)]
pub async fn delete(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(Delete { mode }): Query<Delete>,
) -> Result<StatusCode, Refusal> {
    let mode = mode.map_or(Ok(Mode::Cancel), |name| Mode::parse(&name))?;
    let target = parse(&id)?;
    let operation = match mode {
        Mode::Cancel => Operation::Cancel,
        Mode::Kill => Operation::Kill,
        Mode::Purge => Operation::Purge,
    };
    admin.partitions.operate(operator(None)?, target, operation).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(crate) fn parse(id: &str) -> Result<InvocationId, Refusal> {
    id.parse().map_err(|reason| Refusal::Id { what: Thing::Invocation, id: id.to_owned(), reason })
}

pub(crate) fn unknown(name: String) -> Refusal {
    Refusal::NotFound { what: Thing::Invocation, name }
}
