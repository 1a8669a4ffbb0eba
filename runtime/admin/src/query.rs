//! Queries in SQL. The engine is injected; this is how its answers are sent over HTTP.

use std::future::Future;
use std::pin::Pin;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::Stream;
use protocol::surface::content_type::{ARROW_STREAM, JSON};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    Admin,
    error::{ErrorBody, Refusal},
    extract::Json,
};

/// How rows are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// `{"rows": [{…}, …]}`, in which columns that are null are left out.
    Json,
    /// An Arrow IPC stream.
    Arrow,
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Whose fault it is.
    pub fault: QueryFault,
    /// Its SQLSTATE.
    pub code: &'static str,
    /// What is wrong, and what to do about it.
    pub message: String,
}

/// Whose fault it is that a query has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryFault {
    /// The query is wrong.
    Wrong,
    /// There is no room for the query now.
    Busy,
    /// The node is stopping.
    Stopping,
    /// The server is at fault.
    Failed,
}

/// The rows of a query, encoded. An error ends them early.
pub type Rows = Pin<Box<dyn Stream<Item = Result<Bytes, QueryError>> + Send>>;

/// Runs queries.
pub trait Queries: Send + Sync + 'static {
    /// Runs a single statement. Resolves once there are rows or the query has failed.
    fn run<'a>(
        &'a self,
        query: String,
        format: RowFormat,
    ) -> Pin<Box<dyn Future<Output = Result<Rows, QueryError>> + Send + 'a>>;
}

/// A query.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// One statement in PostgreSQL's dialect. `docs/sql.md` lists the tables.
    pub query: String,
}

/// Runs a query in SQL. The rows are JSON if exactly that is accepted, and an Arrow stream
/// otherwise, as existing tools expect.
#[utoipa::path(
    post,
    path = "/query",
    request_body = QueryRequest,
    responses(
        (status = 200, description = "`{\"rows\": [...]}`, or an Arrow IPC stream"),
        (status = 400, description = "The query is wrong", body = ErrorBody),
        (status = 429, description = "Too many queries are under way", body = ErrorBody),
    )
)]
pub async fn query(
    State(admin): State<Admin>,
    headers: HeaderMap,
    Json(request): Json<QueryRequest>,
) -> Result<Response, Refusal> {
    let is_json = headers.get(header::ACCEPT).is_some_and(|accepted| accepted == JSON);
    let (format, content_type) =
        if is_json { (RowFormat::Json, JSON) } else { (RowFormat::Arrow, ARROW_STREAM) };
    let rows = admin.queries.run(request.query, format).await?;
    Ok(([(header::CONTENT_TYPE, content_type)], Body::from_stream(rows)).into_response())
}
