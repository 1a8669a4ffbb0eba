//! Why a request was refused, and the one place where that becomes a status.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use protocol::ids::IdParseError;
use runtime_http::{body::BodyError, hosts::HostError};
use runtime_partition::{RequestError, Stopped};
use runtime_schema::{
    address::AddressError, discover::RegistrationError, headers::HeaderError, limits::LimitError,
};
use serde::Serialize;

use crate::{discovery::DiscoveryError, text};

/// What is said at most, in bytes: some messages repeat an address, others what JSON has in a wrong place.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// A refused request.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Something that is named does not exist.
    #[error("{} '{}' not found; {}", what.name(), text::shown(name), what.whereabouts())]
    NotFound {
        /// What kind of thing.
        what: Thing,
        /// Its name.
        name: String,
    },
    /// Something that is named has no id that could exist.
    #[error(
        "'{}' is no id of any {}: {reason}; {}",
        text::shown(id),
        what.name(),
        what.whereabouts()
    )]
    Id {
        /// What kind of thing.
        what: Thing,
        /// What was given.
        id: String,
        /// What is wrong with it.
        reason: IdParseError,
    },
    /// There is no such path.
    #[error("path '{}' not found: {hint}", text::shown(path))]
    NoSuchPath {
        /// What was asked for.
        path: String,
        /// What there is instead.
        hint: String,
    },
    /// The path takes other methods.
    #[error("{method} is none of the methods of this path: it takes {allow}")]
    Method {
        /// What was asked with.
        method: String,
        /// What it takes, as the header says it.
        allow: String,
    },
    /// The body does not say that it is JSON.
    #[error("the body has {0}, expected application/json: set the content-type header")]
    MediaType(String),
    /// The body is JSON with something else in it than is asked for.
    #[error("{0}")]
    Unprocessable(String),
    /// The body can't be read.
    #[error(transparent)]
    Body(BodyError),
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// It can't be done with an invocation in this state.
    #[error("{0}")]
    Conflict(String),
    /// The request is not meant for this server.
    #[error(transparent)]
    Host(HostError),
    /// A page of another site has a browser ask.
    #[error("pages of other sites may not use this API; open it from its own address")]
    CrossSite,
    /// Not offered.
    #[error("{0}")]
    NotImplemented(String),
    /// The address is none that an endpoint can be asked at.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A header cannot be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Something is larger than it may be.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The endpoint could not be asked.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// What the endpoint offers can't be registered.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The request has no answer.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// What a request may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A deployment.
    Deployment,
    /// A service.
    Service,
    /// A handler of a service.
    Handler,
    /// An invocation.
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

    /// Where those that there are can be found.
    fn whereabouts(self) -> &'static str {
        match self {
            Self::Deployment => "GET /deployments lists what is registered",
            Self::Service => "GET /services lists what is registered",
            Self::Handler => "GET /services/{service}/handlers lists those of a service",
            Self::Invocation => {
                "GET /invocations lists what there is; what has ended is kept for its retention only"
            }
        }
    }
}

/// The body of every refusal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// What was wrong and what to do.
    pub message: String,
    /// The API's code for it, if it has one.
    pub restate_code: Option<String>,
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
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Host(error) => error.status(),
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Discovery(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Registration(
                RegistrationError::KindChanged { .. } | RegistrationError::Full(_),
            ) => StatusCode::CONFLICT,
            Self::Registration(_) => StatusCode::BAD_REQUEST,
            Self::Request(RequestError::Stopped(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Request(RequestError::NoRoom) => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    fn restate_code(&self) -> Option<&'static str> {
        match self {
            Self::Discovery(error) => Some(error.restate_code),
            Self::Registration(error) => error.restate_code(),
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
            | Self::Host(_)
            | Self::CrossSite
            | Self::NotImplemented(_)
            | Self::Request(_) => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let restate_code = self.restate_code().map(str::to_owned);
        let message = runtime_views::text::cut(&self.to_string(), MESSAGE_BYTES_MAX);
        let body = ErrorBody { message, restate_code };
        (self.status(), Json(body)).into_response()
    }
}
