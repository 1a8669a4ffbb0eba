//! Why an attempt broke off, and what is remembered of it.

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
    /// The SDK said something that the protocol does not allow here.
    #[error("the SDK broke the protocol: {message}")]
    Protocol {
        /// What it said and why it is wrong.
        message: String,
    },
    /// A frame could not be read.
    #[error("the SDK sent a frame that cannot be read: {0}")]
    Wire(#[from] WireError),
    /// A command makes no sense for this handler.
    #[error("{message}")]
    InvalidCommand {
        /// What is wrong with it.
        message: String,
    },
    /// A command names a service or handler that nobody offers.
    #[error("{0}")]
    UnknownTarget(#[from] ResolveError),
    /// There is no connection to the endpoint: the request was never sent.
    #[error("the endpoint cannot be reached: {message}")]
    Unreachable {
        /// What the transport said.
        message: String,
    },
    /// The connection broke when the request was on its way.
    #[error("the connection to the endpoint broke: {message}")]
    Transport {
        /// What the transport said.
        message: String,
    },
    /// The response ended before the attempt did.
    #[error("the endpoint closed the stream before the attempt ended")]
    EndedEarly,
    /// The endpoint answered with another status than 200, or another content type.
    #[error("{message}")]
    Response {
        /// The HTTP status.
        status: u16,
        /// What was wrong.
        message: String,
        /// When the endpoint asked to be tried again, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The deployment the invocation is pinned to is gone, or speaks no common version any more.
    #[error("{message}")]
    Deployment {
        /// What is missing.
        message: String,
    },
    /// This server's own code broke while it ran the attempt.
    #[error("this server broke while it ran the attempt, which is a bug of ours: {message}")]
    Internal {
        /// What the panic said.
        message: String,
    },
    /// Nothing came for too long.
    #[error("the endpoint did not end the attempt within {timeout_ms} ms of being asked to")]
    Timeout {
        /// How long it was given.
        timeout_ms: u64,
    },
}

/// The response's version or content type is not the one that was asked for.
const CODE_VERSION: &str = "RT0015";
/// A command that makes no sense.
const CODE_INVALID_COMMAND: &str = "RT0017";
/// A command that names an unknown service or handler.
const CODE_UNKNOWN_TARGET: &str = "RT0018";

impl Fault {
    /// Whether the request was never on its way: no attempt was made then.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Deployment { .. })
    }

    /// Whether the handler can't have run: it has not failed then, and what it would do on its next
    /// try must not depend on this one.
    pub(super) fn is_before_handler(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Deployment { .. } => true,
            // What a server or a gateway says instead of asking the handler.
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

    /// HTTP-like code, as the status shows it.
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

    /// What the invocation's status remembers: a part of what is very long.
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
