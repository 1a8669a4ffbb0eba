//! Why a request was refused, and the single place where that becomes a status.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use protocol::ids::IdParseError;
use runtime_http::{allowed_hosts::HostError, body::BodyError};
use runtime_partition::{RequestError, Stopped};
use runtime_schema::{
    address::AddressError, headers::HeaderError, limits::LimitError,
    registration::RegistrationError,
};
use serde::Serialize;

use crate::{
    backups::BackupError,
    changes::FollowError,
    deployments::update::UpdateError,
    discovery::DiscoveryError,
    query::{QueryError, QueryFault},
    text,
};

/// The longest message, in bytes. Some messages repeat an address, others a misplaced piece of
/// JSON.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The named thing does not exist.
    #[error("{} '{}' not found; {}", what.name(), text::shown(name), what.whereabouts())]
    NotFound {
        /// The kind of thing.
        what: Thing,
        /// Its name, or its id.
        name: String,
    },
    /// The given id is malformed.
    #[error(
        "'{}' is not a valid {} id: {reason}; {}",
        text::shown(id),
        what.name(),
        what.whereabouts()
    )]
    Id {
        /// The kind of thing.
        what: Thing,
        /// The id as given.
        id: String,
        /// What is wrong with it.
        reason: IdParseError,
    },
    /// The path does not exist.
    #[error("path '{}' not found: {hint}", text::shown(path))]
    NoSuchPath {
        /// The requested path.
        path: String,
        /// A pointer to the paths that do exist.
        hint: String,
    },
    /// The path does not allow this method.
    #[error("{method} is not allowed on this path: it takes {allow}")]
    Method {
        /// The method of the request.
        method: String,
        /// The allowed methods, as in the `Allow` header.
        allow: String,
    },
    /// The body's content type is not JSON.
    #[error("the body has {0}, expected application/json: set the content-type header")]
    MediaType(String),
    /// The body is valid JSON that does not match the expected type.
    #[error("{0}")]
    Unprocessable(String),
    /// The body could not be read.
    #[error(transparent)]
    Body(BodyError),
    /// The request is malformed.
    #[error("{0}")]
    BadRequest(String),
    /// The invocation is not in a state that allows the operation.
    #[error("{0}")]
    Conflict(String),
    /// The invocation is not yet in a state that allows the operation.
    #[error("{0}")]
    TooEarly(String),
    /// What the operation needs of the invocation has been removed.
    #[error("{0}")]
    Gone(String),
    /// Too much of the kind waits already.
    #[error("{0}")]
    TooMany(String),
    /// The request is not meant for this server.
    #[error(transparent)]
    Host(HostError),
    /// A browser sent the request for a page of another site.
    #[error("pages of other sites may not use this API; open it from its own address")]
    CrossSite,
    /// The operation is not supported.
    #[error("{0}")]
    NotImplemented(String),
    /// The address is not valid for an endpoint.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A header can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Something exceeds a size limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Discovery of the endpoint failed.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// What the endpoint offers can't be registered.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// A deployment can't be updated.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// A query has no answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Changes cannot be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// There is no backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The partition could not process the request.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// The kinds of things that a request may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A deployment, by its id.
    Deployment,
    /// A service, by its name.
    Service,
    /// A handler, as `service/handler`.
    Handler,
    /// An invocation, by its id.
    Invocation,
}

impl Thing {
    fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Service => "service",
            Self::Handler => "handler",
            Self::Invocation => "invocation",
        }
    }

    /// Where the existing ones are listed.
    fn whereabouts(self) -> &'static str {
        match self {
            Self::Deployment => "GET /deployments lists what is registered",
            Self::Service => "GET /services lists what is registered",
            Self::Handler => "GET /services/{service}/handlers lists the handlers of a service",
            Self::Invocation => {
                "GET /invocations lists all of them; completed ones are kept only for their retention"
            }
        }
    }
}

/// The body of every refusal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// What was wrong, and what to do about it.
    pub message: String,
    /// The API's code for the error, if it has one.
    pub restate_code: Option<String>,
    /// The SQLSTATE of a query that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

impl From<Stopped> for Refusal {
    fn from(stopped: Stopped) -> Self {
        Self::Request(stopped.into())
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound { .. } | Self::NoSuchPath { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Body(BodyError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::Slow { .. }) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::NoMemory) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Body(BodyError::Broken(_)) => StatusCode::BAD_REQUEST,
            Self::BadRequest(_)
            | Self::Id { .. }
            | Self::Address(_)
            | Self::Header(_)
            | Self::Limit(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) | Self::Update(_) => StatusCode::CONFLICT,
            Self::TooEarly(_) => StatusCode::TOO_EARLY,
            Self::Gone(_) => StatusCode::GONE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Host(error) => error.status(),
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Discovery(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Registration(
                RegistrationError::KindChanged { .. } | RegistrationError::Full(_),
            ) => StatusCode::CONFLICT,
            Self::Registration(_) => StatusCode::BAD_REQUEST,
            Self::Query(error) => match error.fault {
                QueryFault::Wrong => StatusCode::BAD_REQUEST,
                QueryFault::Busy => StatusCode::TOO_MANY_REQUESTS,
                QueryFault::Failed => StatusCode::INTERNAL_SERVER_ERROR,
                QueryFault::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Follow(FollowError::NoSuchChannel(_)) => StatusCode::BAD_REQUEST,
            Self::Follow(FollowError::Busy(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Backup(BackupError::Busy) => StatusCode::TOO_MANY_REQUESTS,
            Self::Backup(BackupError::DiskFull) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Backup(BackupError::Stopping) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Backup(BackupError::Failed(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Request(RequestError::Stopped(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Request(RequestError::DiskFull) => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    fn restate_code(&self) -> Option<&'static str> {
        match self {
            Self::Discovery(error) => Some(error.restate_code),
            Self::Registration(error) => error.restate_code(),
            Self::Update(error) => Some(error.restate_code()),
            Self::NotFound { .. }
            | Self::Id { .. }
            | Self::NoSuchPath { .. }
            | Self::Method { .. }
            | Self::MediaType(_)
            | Self::Unprocessable(_)
            | Self::Body(_)
            | Self::BadRequest(_)
            | Self::Address(_)
            | Self::Header(_)
            | Self::Limit(_)
            | Self::Conflict(_)
            | Self::TooEarly(_)
            | Self::Gone(_)
            | Self::TooMany(_)
            | Self::Host(_)
            | Self::CrossSite
            | Self::NotImplemented(_)
            | Self::Query(_)
            | Self::Follow(_)
            | Self::Backup(_)
            | Self::Request(_) => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let restate_code = self.restate_code().map(str::to_owned);
        let message = runtime_views::text::cut(&self.to_string(), MESSAGE_BYTES_MAX);
        let code = if let Self::Query(error) = &self { Some(error.code) } else { None };
        let body = ErrorBody { message, restate_code, code };
        (self.status(), Json(body)).into_response()
    }
}
