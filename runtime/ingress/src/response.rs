//! Builds responses.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use protocol::{InvocationId, TerminalFailure, surface};
use runtime_core::model::deployment::OutputRule;
use runtime_views::rfc3339;
use serde::Serialize;

use crate::{
    answers::Kept,
    body::{Body, full},
    error::{allow, failure_response},
};

/// The response for an invocation that has ended.
pub(crate) fn result(
    id: InvocationId,
    kept: Kept,
    output: &OutputRule,
    was_stored: bool,
) -> Response<Body> {
    let completion = Arc::clone(&kept.completion);
    let mut response = match &completion.result {
        Ok(value) => {
            let mut response = Response::new(full(kept.into_value(value.clone())));
            let content_type = output
                .content_type
                .as_ref()
                .filter(|_| !value.is_empty() || output.set_content_type_if_empty)
                .and_then(|content_type| HeaderValue::from_str(content_type).ok());
            if let Some(content_type) = content_type {
                response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            }
            response
        }
        Err(failure) => failure_response(failure),
    };
    name(&mut response, id);
    if was_stored
        && let Some(expires_at) = completion.expires_at
        && let Ok(expires_at) = HeaderValue::from_str(&rfc3339::with_nanoseconds(expires_at.0))
    {
        response.headers_mut().insert(surface::header::IDEMPOTENCY_EXPIRES, expires_at);
    }
    response
}

/// The response for an invocation that has failed, or for a request that failed on its behalf.
pub(crate) fn failure(id: InvocationId, failure: &TerminalFailure) -> Response<Body> {
    let mut response = failure_response(failure);
    name(&mut response, id);
    response
}

/// Adds the id of the invocation that a response is about.
pub(crate) fn name(response: &mut Response<Body>, id: InvocationId) {
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(surface::header::INVOCATION, id);
    }
}

/// The response to OPTIONS: the methods that a path allows.
pub(crate) fn options(methods: &[Method]) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    allow(&mut response, methods);
    response
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(full(body.into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static(surface::content_type::JSON);
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
