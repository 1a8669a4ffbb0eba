//! Why an attempt failed, and what is stored about it.

use protocol::{
    surface::code,
    wire::{WireError, control::AttemptError},
};

use super::cut;
use crate::{
    model::invocation::{AttemptFailure, RelatedCommand},
    registry::ResolveError,
};

/// What ended an attempt without a result.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The SDK reported an error.
    #[error("{}", .0.message)]
    Sdk(AttemptError),
    /// The SDK sent something that the protocol does not allow at this point.
    #[error("the SDK broke the protocol: {message}")]
    Protocol {
        /// What it sent and why that is wrong.
        message: String,
    },
    /// A frame could not be decoded.
    #[error("the SDK sent a frame that cannot be read: {0}")]
    Wire(#[from] WireError),
    /// A command is not valid for this handler.
    #[error("{message}")]
    InvalidCommand {
        /// What is wrong with it.
        message: String,
    },
    /// A command names a service or handler that is not registered.
    #[error("{0}")]
    UnknownTarget(#[from] ResolveError),
    /// No connection to the endpoint could be established: the request was never sent.
    #[error("the endpoint cannot be reached: {message}")]
    Unreachable {
        /// The transport's error.
        message: String,
    },
    /// The connection broke after the request was sent.
    #[error("the connection to the endpoint broke: {message}")]
    Transport {
        /// The transport's error.
        message: String,
    },
    /// The response ended before the attempt did.
    #[error("the endpoint closed the stream before the attempt ended")]
    EndedEarly,
    /// The endpoint responded with a status other than 200 or with the wrong content type.
    #[error("{message}")]
    Response {
        /// The HTTP status.
        status: u16,
        /// What is wrong with the response.
        message: String,
        /// How long the endpoint asked to wait before a retry, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// No deployment can run the attempt: it is not registered, does not offer the handler, or
    /// supports no usable protocol version.
    #[error("{message}")]
    Deployment {
        /// What is missing.
        message: String,
    },
    /// This server's own code panicked while it ran the attempt.
    #[error("internal error while running the attempt, which is a bug in this server: {message}")]
    Internal {
        /// The panic message.
        message: String,
    },
    /// The endpoint did not end the attempt in time.
    #[error("the endpoint did not end the attempt within {timeout_ms} ms of being asked to")]
    Timeout {
        /// How long it had, in milliseconds.
        timeout_ms: u64,
    },
}

/// The response's protocol version or content type is not the requested one.
const CODE_VERSION: &str = "RT0015";
/// A command that is not valid.
const CODE_INVALID_COMMAND: &str = "RT0017";
/// A command that names an unknown service or handler.
pub const CODE_UNKNOWN_TARGET: &str = "RT0018";

impl Fault {
    /// Whether the request was never sent, in which case no attempt was made.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Deployment { .. })
    }

    /// Whether the handler cannot have run. In that case it has not failed either, and this attempt
    /// must not affect what it does on the next one.
    pub(super) fn is_before_handler(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Deployment { .. } => true,
            // Statuses that a server or a gateway returns without invoking the handler.
            Self::Response { status, .. } => matches!(status, 401 | 404 | 413 | 415 | 429 | 503),
            Self::Sdk(_)
            | Self::Protocol { .. }
            | Self::Wire(_)
            | Self::InvalidCommand { .. }
            | Self::UnknownTarget(_)
            | Self::Transport { .. }
            | Self::EndedEarly
            | Self::Internal { .. }
            | Self::Timeout { .. } => false,
        }
    }

    /// The HTTP-like code shown in the invocation's status.
    pub fn code(&self) -> u32 {
        match self {
            Self::Sdk(error) => error.code,
            Self::Response { status, .. } => u32::from(*status),
            Self::Protocol { .. } | Self::Wire(_) => code::PROTOCOL_VIOLATION,
            Self::InvalidCommand { .. }
            | Self::UnknownTarget(_)
            | Self::Unreachable { .. }
            | Self::Transport { .. }
            | Self::EndedEarly
            | Self::Deployment { .. }
            | Self::Internal { .. }
            | Self::Timeout { .. } => 500,
        }
    }

    /// What the invocation's status stores; very long texts are truncated.
    pub fn into_failure(self) -> AttemptFailure {
        let (code, message) = (self.code(), cut::message(self.to_string()));
        let error_code = match &self {
            Self::Response { status: 415, .. } | Self::Deployment { .. } => Some(CODE_VERSION),
            Self::InvalidCommand { .. } => Some(CODE_INVALID_COMMAND),
            Self::UnknownTarget(_) => Some(CODE_UNKNOWN_TARGET),
            Self::Response { .. }
            | Self::Sdk(_)
            | Self::Protocol { .. }
            | Self::Wire(_)
            | Self::Unreachable { .. }
            | Self::Transport { .. }
            | Self::EndedEarly
            | Self::Internal { .. }
            | Self::Timeout { .. } => None,
        };
        let error_code = error_code.map(str::to_owned);
        let (stacktrace, related_command) = match self {
            Self::Sdk(error) => (
                cut::stacktrace(error.stacktrace),
                error.related_command.map(|related| RelatedCommand {
                    index: related.index,
                    name: related.name.map(cut::name),
                    ty: related.ty,
                }),
            ),
            Self::Response { .. }
            | Self::Protocol { .. }
            | Self::Wire(_)
            | Self::InvalidCommand { .. }
            | Self::UnknownTarget(_)
            | Self::Unreachable { .. }
            | Self::Transport { .. }
            | Self::EndedEarly
            | Self::Deployment { .. }
            | Self::Internal { .. }
            | Self::Timeout { .. } => (String::new(), None),
        };
        AttemptFailure { code, error_code, message, stacktrace, related_command }
    }
}
