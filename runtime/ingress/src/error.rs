//! Why a request was refused, and the one place where that becomes a status.

use http::{HeaderValue, Method, Response, StatusCode, header};
use protocol::{InvocationId, TerminalFailure, surface};
use runtime_core::admission::AdmissionError;
use runtime_http::{body::BodyError, hosts::HostError};
use runtime_partition::{RequestError, Stopped};
use serde::Serialize;

use crate::{
    body::{Body, full},
    path::PathError,
    response::name,
};

/// A request that gets no result.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The path asks for nothing.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The service has no such handler.
    #[error(
        "service '{service}' has no handler '{handler}' in its latest revision; if that is new, register \
         its endpoint again with \"force\": true, or at another address"
    )]
    UnknownHandler {
        /// The service.
        service: String,
        /// What was asked for.
        handler: String,
    },
    /// The handler may not be called from outside.
    #[error("'{service}/{handler}' is private: it can only be called by other services")]
    Private {
        /// The service.
        service: String,
        /// The handler.
        handler: String,
    },
    /// Nobody knows any more whether the handler might be called from outside.
    #[error(
        "the deployment of '{service}/{handler}' was removed, and with it whether its results may be \
         read from outside; register it again, or ask the admin API"
    )]
    Removed {
        /// The service.
        service: String,
        /// The handler.
        handler: String,
    },
    /// The path takes other methods.
    #[error("method {method} is not allowed here; use {}", names(allowed))]
    Method {
        /// The one that was used.
        method: Method,
        /// Those that the path takes.
        allowed: &'static [Method],
    },
    /// The request is not meant for this server.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The content type is not the one that the handler takes.
    #[error("input validation error: Content-type '{actual}' does not match '{expected}'")]
    ContentType {
        /// What was sent.
        actual: String,
        /// What the handler takes.
        expected: String,
    },
    /// There is a body but nobody says what it is.
    #[error("input validation error: Empty content-type; the handler takes '{0}'")]
    ContentTypeMissing(String),
    /// There is a body where none is taken.
    #[error("input validation error: the handler takes no body")]
    BodyNotTaken,
    /// A header's value is not text.
    #[error("bad header {name}: its value is not UTF-8 text")]
    Header {
        /// Its name.
        name: String,
    },
    /// The body is too large, too slow, or broke off.
    #[error("{0}{setting}", setting = setting_of(.0))]
    Body(BodyError),
    /// The delay can't be read, or makes no sense here.
    #[error("bad delay: {0}")]
    Delay(String),
    /// Which of them counts can't be told.
    #[error("the request has idempotency keys that differ; send one")]
    IdempotencyKeys,
    /// What is asked for makes no sense.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// An id can't be read.
    #[error("bad {what} id '{id}': {reason}")]
    Id {
        /// Of what.
        what: &'static str,
        /// The text.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The body that should name an invocation can't be read.
    #[error("the body does not name an invocation: {0}")]
    Target(String),
    /// There is no such invocation.
    #[error("invocation not found")]
    InvocationNotFound,
    /// The invocation has no result yet.
    #[error("the invocation exists but has not completed yet")]
    NotReady,
    /// The invocation has taken as many signals as it may.
    #[error(
        "the invocation's journal takes no more signals: it has room for {entries_max} of \
         {bytes_max} bytes together; send less, or send a reference to it"
    )]
    JournalFull {
        /// How many there may be.
        entries_max: u32,
        /// How many bytes they may take.
        bytes_max: u64,
    },
    /// The node is stopping.
    #[error("the node is stopping; try again")]
    Stopping,
    /// The node is stopping, and whether it has accepted what was asked is not known.
    #[error(
        "the node is stopping; if {0} was accepted, it goes on after the next start: ask for its result \
         with GET /restate/attach/{0}, and repeat the request only if there is no such invocation, or \
         with the same idempotency key"
    )]
    Unknown(InvocationId),
    /// The disk is nearly full: nothing new is taken on.
    #[error(
        "the server's disk is nearly full and takes no new work; free some room, then try again"
    )]
    NoRoom,
}

impl Rejection {
    /// Why a request has no answer that would have begun this invocation.
    pub(crate) fn of_request(error: RequestError, id: InvocationId) -> Self {
        match error {
            RequestError::Stopped(_) => Self::Unknown(id),
            RequestError::NoRoom => Self::NoRoom,
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
            RequestError::NoRoom => Self::NoRoom,
        }
    }
}

/// The setting that an operator may change.
fn setting_of(error: &BodyError) -> &'static str {
    match error {
        BodyError::TooLarge { .. } => " (the setting request-size-max-bytes)",
        BodyError::Slow { .. } | BodyError::NoMemory | BodyError::Broken(_) => "",
    }
}

/// When to try again what was refused since the server is busy or stops.
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
            Self::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// The answer.
    pub(crate) fn response(&self) -> Response<Body> {
        let status = self.status();
        let failure = TerminalFailure::new(u32::from(status.as_u16()), self.to_string());
        let mut response = error_response(status, &failure, "ingress");
        if let Self::Unknown(id) = self {
            // Whoever repeats it as it is may have it done twice: nothing invites to that.
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

/// Says which methods a path takes.
pub(crate) fn allow(response: &mut Response<Body>, methods: &[Method]) {
    if let Ok(methods) = HeaderValue::from_str(&names(methods)) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

/// The answer to a request whose invocation failed.
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
