//! The OpenAPI document of a service: the requests of the ingress that call its handlers, with the
//! JSON schemas of their manifest. It follows from the registry alone, so it costs a request to the
//! admin API and none to the endpoint.
//!
//! A service may have thousands of handlers, and its document many megabytes. So it is written
//! handler by handler (`pieces`, made of `operations`, `schemas` and `parts`), and each chunk of it
//! only when the client has taken the ones before.

mod operations;
mod parts;
mod pieces;
mod schemas;

use std::io;

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use protocol::surface::content_type::JSON;
use tokio::{sync::Semaphore, task::spawn_blocking};

use pieces::Pieces;

use super::unknown;
use crate::{
    Admin,
    error::{ErrorBody, Refusal},
    extract::Path,
};

/// Every chunk has so many bytes or more, except for the last one.
const CHUNK_BYTES: usize = 64 << 10;

/// Chunks are made one at a time: a large schema takes ten times its size meanwhile.
static MAKING: Semaphore = Semaphore::const_new(1);

/// Describes how a service is called at the ingress, in OpenAPI 3.1.
#[utoipa::path(
    get, path = "/services/{service}/openapi",
    responses(
        (status = 200, description = "an OpenAPI document"),
        (status = 404, body = ErrorBody),
    )
)]
pub async fn openapi(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let registry = admin.registry.snapshot();
    if registry.service(&name).is_none() {
        return Err(unknown(&name));
    }
    let pieces = Pieces::of(registry, name, &admin.ingress_url);
    let chunks = stream::try_unfold(pieces, chunk);
    Ok(([(header::CONTENT_TYPE, JSON)], Body::from_stream(chunks)).into_response())
}

/// Makes the next chunk, on a thread where that holds nobody up.
async fn chunk(mut pieces: Pieces) -> io::Result<Option<(Bytes, Pieces)>> {
    let turn = MAKING.acquire().await.map_err(io::Error::other)?;
    let making = spawn_blocking(move || {
        let _turn = turn;
        let mut chunk = String::new();
        while chunk.len() < CHUNK_BYTES
            && let Some(piece) = pieces.next()
        {
            chunk.push_str(&piece);
        }
        (!chunk.is_empty()).then(|| (Bytes::from(chunk), pieces))
    });
    making.await.map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
