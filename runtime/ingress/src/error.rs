//! Why a request was refused, and the single place where that becomes a status.

use http::{HeaderValue, Method, Response, StatusCode, header};
use protocol::{InvocationId, TerminalFailure, surface};
use runtime_core::admission::AdmissionError;
use runtime_http::{allowed_hosts::HostError, body::BodyError};
use runtime_partition::{RequestError, Stopped};
use runtime_schema::input_schema::Mismatch;
use serde::Serialize;

use crate::{
    body::{Body, full},
    path::PathError,
    response::name,
};

/// A request that is refused.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The ingress has no such path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The service has no such handler.
    #[error(
        "service '{service}' has no handler '{handler}' in its latest revision; if that is new, register \
         its endpoint again with \"force\": true, or at another address"
    )]
    UnknownHandler {
        /// Name of the service.
        service: String,
        /// The requested handler.
        handler: String,
    },
    /// The handler can't be called from outside.
    #[error("'{service}/{handler}' is private: it can only be called by other services")]
    Private {
        /// Name of the service.
        service: String,
        /// Name of the handler.
        handler: String,
    },
    /// The handler's deployment was removed, so it is unknown whether the handler was public.
    #[error(
        "the deployment of '{service}/{handler}' was removed, so it is unknown whether its results may be \
         read from outside; register it again, or ask the admin API"
    )]
    Removed {
        /// Name of the service.
        service: String,
        /// Name of the handler.
        handler: String,
    },
    /// The path does not allow this method.
    #[error("method {method} is not allowed here; use {}", names(allowed))]
    Method {
        /// The method of the request.
        method: Method,
        /// The methods that the path allows.
        allowed: &'static [Method],
    },
    /// The request is not meant for this server.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The body does not match the JSON schema of the handler's input.
    #[error(
        "input validation error: the body does not match the schema of '{service}/{handler}' {mismatch}"
    )]
    Schema {
        /// Name of the service.
        service: String,
        /// Name of the handler.
        handler: String,
        /// What is wrong, and where.
        mismatch: Mismatch,
    },
    /// The content type is not the one that the handler accepts.
    #[error("input validation error: Content-type '{actual}' does not match '{expected}'")]
    ContentType {
        /// The content type of the request.
        actual: String,
        /// The content type that the handler accepts.
        expected: String,
    },
    /// There is a body but no content type.
    #[error("input validation error: Empty content-type; the handler takes '{0}'")]
    ContentTypeMissing(String),
    /// There is a body, but the handler takes none.
    #[error("input validation error: the handler takes no body")]
    BodyNotTaken,
    /// A header's value is not text.
    #[error("bad header {name}: its value is not UTF-8 text")]
    Header {
        /// The header's name.
        name: String,
    },
    /// The body is too large, too slow, or incomplete, or there is no memory for it.
    #[error("{0}{setting}", setting = setting_of(.0))]
    Body(BodyError),
    /// The delay can't be parsed, or the request can't be delayed.
    #[error("bad delay: {0}")]
    Delay(String),
    /// The idempotency key is ambiguous.
    #[error("the request has several different idempotency keys; send one")]
    IdempotencyKeys,
    /// The request can't be admitted as an invocation.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// An id can't be parsed.
    #[error("bad {what} id '{id}': {reason}")]
    Id {
        /// The kind of thing that the id names.
        what: &'static str,
        /// The id as given.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The body that should name an invocation can't be parsed.
    #[error("the body does not name an invocation: {0}")]
    Target(String),
    /// The invocation does not exist.
    #[error("invocation not found")]
    InvocationNotFound,
    /// The invocation has no result yet.
    #[error("the invocation exists but has not completed yet")]
    NotReady,
    /// The invocation's journal can hold no more signals.
    #[error(
        "the invocation's journal can hold no more signals: the limit is {entries_max} signals of \
         {bytes_max} bytes in total; send less, or send a reference to the data"
    )]
    JournalFull {
        /// How many signals the journal may hold.
        entries_max: u32,
        /// How many bytes they may take in total.
        bytes_max: u64,
    },
    /// The node is shutting down.
    #[error("the node is stopping; try again")]
    Stopping,
    /// The node is shutting down, and it is not known whether it accepted the request.
    #[error(
        "the node is stopping; if {0} was accepted, it continues after the next start: ask for its result \
         with GET /restate/attach/{0}, and repeat the request only if there is no such invocation, or \
         with the same idempotency key"
    )]
    Unknown(InvocationId),
    /// The disk is nearly full, so no new work is accepted.
    #[error(
        "the server's disk is nearly full, so it accepts no new work; free some space, then try again"
    )]
    DiskFull,
}

impl Rejection {
    /// Why a request that would have started this invocation has no answer.
    pub(crate) fn of_request(error: RequestError, id: InvocationId) -> Self {
        match error {
            RequestError::Stopped(_) => Self::Unknown(id),
            RequestError::DiskFull => Self::DiskFull,
        }
    }
}

impl From<Stopped> for Rejection {
    fn from(_: Stopped) -> Self {
        Self::Stopping
    }
}

impl From<RequestError> for Rejection {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Stopped(_) => Self::Stopping,
            RequestError::DiskFull => Self::DiskFull,
        }
    }
}

/// Names the setting that the operator can change.
fn setting_of(error: &BodyError) -> &'static str {
    match error {
        BodyError::TooLarge { .. } => " (the setting request-size-max-bytes)",
        BodyError::Slow { .. } | BodyError::NoMemory | BodyError::Broken(_) => "",
    }
}

/// The `Retry-After` of requests that were refused because the server is busy or shutting down.
const RETRY_AFTER_SECONDS: &str = "1";

impl Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Self::Path(
                PathError::UnknownService(_) | PathError::OfAdmin(_) | PathError::NotFound,
            )
            | Self::UnknownHandler { .. }
            | Self::InvocationNotFound => StatusCode::NOT_FOUND,
            Self::Path(PathError::Shape { .. } | PathError::KeyNotText(_) | PathError::Scope)
            | Self::Private { .. }
            | Self::Removed { .. }
            | Self::Schema { .. }
            | Self::ContentType { .. }
            | Self::ContentTypeMissing(_)
            | Self::BodyNotTaken
            | Self::Header { .. }
            | Self::IdempotencyKeys
            | Self::Body(BodyError::Broken(_))
            | Self::Delay(_)
            | Self::Admission(_)
            | Self::Id { .. }
            | Self::Target(_) => StatusCode::BAD_REQUEST,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host(error) => error.status(),
            Self::Body(BodyError::Slow { .. }) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::NoMemory) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(BodyError::TooLarge { .. }) | Self::JournalFull { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::NotReady => {
                StatusCode::from_u16(surface::status::NOT_READY).unwrap_or(StatusCode::BAD_REQUEST)
            }
            Self::Stopping | Self::Unknown(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// The response.
    pub(crate) fn response(&self) -> Response<Body> {
        let status = self.status();
        let failure = TerminalFailure::new(u32::from(status.as_u16()), self.to_string());
        let mut response = error_response(status, &failure, "ingress");
        if let Self::Unknown(id) = self {
            // Repeating this request unchanged may run it twice, so don't suggest a retry.
            name(&mut response, *id);
        } else if status == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        if let Self::Method { allowed, .. } = self {
            allow(&mut response, allowed);
        }
        response
    }
}

/// Lists the methods that a path allows.
pub(crate) fn allow(response: &mut Response<Body>, methods: &[Method]) {
    if let Ok(methods) = HeaderValue::from_str(&names(methods)) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

/// The response to a request whose invocation failed.
pub(crate) fn failure_response(failure: &TerminalFailure) -> Response<Body> {
    let status = u16::try_from(failure.code)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok())
        .filter(|status| status.as_u16() >= 400)
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    error_response(status, failure, "invocation")
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: u16,
    message: &'a str,
    source: &'static str,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    metadata: serde_json::Map<String, serde_json::Value>,
}

fn error_response(
    status: StatusCode,
    failure: &TerminalFailure,
    source: &'static str,
) -> Response<Body> {
    let metadata = failure.metadata.iter();
    let body = ErrorBody {
        code: status.as_u16(),
        message: &failure.message,
        source,
        metadata: metadata.map(|(key, value)| (key.clone(), value.as_str().into())).collect(),
    };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = Response::new(full(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(surface::content_type::JSON));
    headers.insert(surface::header::ERROR_SOURCE, HeaderValue::from_static(source));
    response
}
