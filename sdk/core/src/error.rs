//! Errors of an attempt, and the frame that reports them.

use std::fmt;
use std::panic::Location;

use protocol::{
    journal::NamedCommand,
    surface::code,
    wire::{
        MessageType, WireError,
        control::{AttemptError, ErrorBehavior, RelatedCommand},
    },
};

/// A location in user code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// A call site.
    Call(&'static Location<'static>),
    /// The start of a handler, as file and line.
    Handler(&'static str),
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(location) => location.fmt(f),
            Self::Handler(line) => f.write_str(line),
        }
    }
}

/// The attempt cannot continue. The runtime has been notified and will retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VmError {
    /// The handler issued a different command than the journal contains.
    #[error(
        "journal mismatch at command {index}{}: the journal has {found}, but the handler issued \
         {expected}; either the handler's code has changed, or it is not deterministic: it may depend on time, \
         randomness, the iteration order of a hash map, or IO outside of run",
        at.as_deref().map(|at| format!(" ({at})")).unwrap_or_default()
    )]
    Mismatch {
        /// Index among the commands; Input is 0.
        index: u32,
        /// What the handler issued.
        expected: String,
        /// What the journal contains.
        found: String,
        /// Type code of the journal's command.
        ty: u16,
        /// Name of the journal's command.
        name: String,
        /// Where user code issued its command, as file, line and column.
        at: Option<String>,
    },
    /// The handler waits for something that, according to the journal, arrived later or never.
    #[error(
        "journal mismatch at command {index}: the handler waits for something that is not in the journal{}, \
         which continues with {found}; either the handler's code has changed, or what it did next \
         depended on something that is not in the journal: IO, a timer or a task outside of run",
        at.as_deref().map(|at| format!(" (requested at {at})")).unwrap_or_default()
    )]
    AwaitInReplay {
        /// Index of the journal's next command.
        index: u32,
        /// The command itself, for display.
        found: String,
        /// Where user code requested what it waits for.
        at: Option<String>,
    },
    /// The handler is pending, but not on anything that the runtime could deliver.
    #[error(
        "the handler awaits something that is not in the journal{}: IO, a timer, a task or a channel, \
         which is lost when the attempt ends; do IO in a run, and await everything in the handler",
        after.as_deref().map(|at| format!(", after {at}")).unwrap_or_default()
    )]
    WaitsForNothing {
        /// Where user code last made a request.
        after: Option<String>,
    },
    /// The runtime sent something that the protocol does not allow at this point.
    #[error("the runtime violated the protocol: {0}")]
    Protocol(String),
    /// A frame could not be read.
    #[error("the runtime sent a frame that cannot be decoded: {0}")]
    Wire(#[from] WireError),
    /// The handler used a feature that the negotiated protocol version lacks.
    #[error("{feature} needs service protocol {needed} or newer; this attempt speaks {spoken}")]
    Unsupported {
        /// The feature that was used.
        feature: &'static str,
        /// First version that supports it.
        needed: u32,
        /// The negotiated version.
        spoken: u32,
    },
    /// The attempt has already ended.
    #[error("the attempt has ended")]
    Closed,
}

impl VmError {
    /// The error code reported to the runtime.
    pub fn code(&self) -> u32 {
        match self {
            Self::Mismatch { .. } | Self::AwaitInReplay { .. } | Self::WaitsForNothing { .. } => {
                code::JOURNAL_MISMATCH
            }
            Self::Protocol(_) | Self::Wire(_) => code::PROTOCOL_VIOLATION,
            Self::Unsupported { .. } => code::UNSUPPORTED_FEATURE,
            Self::Closed => 598,
        }
    }

    pub(crate) fn mismatch(
        index: u32,
        expected: &NamedCommand,
        found: &NamedCommand,
        ty: MessageType,
    ) -> Self {
        Self::Mismatch {
            index,
            expected: show(expected),
            found: show(found),
            ty: ty.0,
            name: found.name.clone(),
            at: None,
        }
    }

    /// Attaches the location in user code.
    pub(crate) fn at(mut self, site: Option<Site>) -> Self {
        if let Self::Mismatch { at, .. } = &mut self {
            *at = site.map(|site| site.to_string());
        }
        self
    }

    pub(crate) fn to_attempt_error(&self) -> AttemptError {
        let related_command = match self {
            Self::Mismatch { index, ty, name, .. } => Some(RelatedCommand {
                index: Some(*index),
                name: Some(name.clone()),
                ty: Some(u32::from(*ty)),
            }),
            Self::AwaitInReplay { index, .. } => {
                Some(RelatedCommand { index: Some(*index), name: None, ty: None })
            }
            Self::WaitsForNothing { .. }
            | Self::Protocol(_)
            | Self::Wire(_)
            | Self::Unsupported { .. }
            | Self::Closed => None,
        };
        AttemptError {
            code: self.code(),
            message: self.to_string(),
            stacktrace: String::new(),
            related_command,
            next_retry_delay_ms: None,
            behavior: ErrorBehavior::Retry,
        }
    }
}

/// A command for display, truncated: payloads may be large, and the start is enough to recognise
/// them.
pub(crate) fn show(named: &NamedCommand) -> String {
    let text = match named.name.as_str() {
        "" => format!("{:?}", named.command),
        name => format!("{:?} named '{name}'", named.command),
    };
    text.chars().take(300).collect()
}
