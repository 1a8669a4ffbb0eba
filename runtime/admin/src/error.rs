//! Why a request was refused, and the one place where that becomes a status.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use runtime_http::hosts::HostError;
use runtime_partition::{RequestError, Stopped};
use runtime_schema::{
    address::AddressError, discover::RegistrationError, headers::HeaderError, limits::LimitError,
};
use serde::Serialize;

use crate::discovery::DiscoveryError;

/// A refused request.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Something that is named does not exist.
    #[error("{what} '{name}' not found")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
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
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::BadRequest(_) | Self::Address(_) | Self::Header(_) | Self::Limit(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Host(error) => error.status(),
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Discovery(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Registration(RegistrationError::KindChanged { .. }) => StatusCode::CONFLICT,
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
        let body = ErrorBody { message: self.to_string(), restate_code };
        (self.status(), Json(body)).into_response()
    }
}
