//! Queries in SQL. The engine is injected; this is how its answers are sent over HTTP.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Version, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::StreamBody;
use hyper::body::Frame;
use protocol::surface::{
    content_type::{ARROW_STREAM, JSON},
    header::{QUERY_CODE, QUERY_MESSAGE},
};
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
    version: Version,
    headers: HeaderMap,
    Json(request): Json<QueryRequest>,
) -> Result<Response, Refusal> {
    let is_json = headers.get(header::ACCEPT).is_some_and(|accepted| accepted == JSON);
    let (format, content_type) =
        if is_json { (RowFormat::Json, JSON) } else { (RowFormat::Arrow, ARROW_STREAM) };
    let rows = admin.queries.run(request.query, format).await?;
    // Without chunks, an answer would end with trailers as one does that is complete.
    let takes_trailers = version >= Version::HTTP_11
        && headers.get(header::TE).is_some_and(|accepted| accepted == "trailers");
    let content_type = [(header::CONTENT_TYPE, content_type)];
    if !takes_trailers {
        return Ok((content_type, Body::from_stream(rows)).into_response());
    }
    let frames = rows
        .map(|piece| Ok::<_, Infallible>(piece.map_or_else(|error| trailers(&error), Frame::data)));
    let announced = [(header::TRAILER, format!("{QUERY_CODE}, {QUERY_MESSAGE}"))];
    Ok((content_type, announced, Body::new(StreamBody::new(frames))).into_response())
}

/// How much of a message is sent in a trailer, in bytes. Clients take little more.
const TRAILER_BYTES_MAX: usize = 4096;

/// Why rows end early, for a client that understands trailers. All others only see that they do.
fn trailers(error: &QueryError) -> Frame<Bytes> {
    let message = error.message.replace(|it: char| it.is_ascii_control(), " ");
    let message = &message[..message.floor_char_boundary(TRAILER_BYTES_MAX)];
    let mut trailers = HeaderMap::new();
    trailers.insert(QUERY_CODE, HeaderValue::from_static(error.code));
    // What is left of the message are bytes that a header may have.
    if let Ok(message) = HeaderValue::from_bytes(message.as_bytes()) {
        trailers.insert(QUERY_MESSAGE, message);
    }
    Frame::trailers(trailers)
}
