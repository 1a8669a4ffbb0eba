//! What goes wrong in an attempt, and the frame that says so.

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

/// A place in user code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// Where something was called.
    Call(&'static Location<'static>),
    /// Where a handler begins: file and line.
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

/// The attempt cannot go on. The runtime has been told; it will try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VmError {
    /// The handler asked for something else than the journal says it did.
    #[error(
        "journal mismatch at command {index}{}: the journal has {found}, the handler asked for \
         {expected}; the handler's code has changed, or it is not deterministic: it may use time, \
         randomness, the order of a hash map or IO outside of run",
        at.as_deref().map(|at| format!(" ({at})")).unwrap_or_default()
    )]
    Mismatch {
        /// Index among commands, Input is 0.
        index: u32,
        /// What the handler asked for.
        expected: String,
        /// What the journal has.
        found: String,
        /// Type code of the journal's command.
        ty: u16,
        /// Name of the journal's command.
        name: String,
        /// Where user code asked, as file, line and column.
        at: Option<String>,
    },
    /// The handler waits for something that the journal says came later or never.
    #[error(
        "journal mismatch at command {index}: the handler waits for something that is not there{}, \
         but the journal goes on with {found}; the handler's code has changed, or what it did next \
         hung on something that is not in the journal: IO, a timer or a task outside of run",
        at.as_deref().map(|at| format!(" (asked for at {at})")).unwrap_or_default()
    )]
    AwaitInReplay {
        /// Index of the journal's next command.
        index: u32,
        /// What it is.
        found: String,
        /// Where user code asked for what it waits for.
        at: Option<String>,
    },
    /// The handler is pending, but on nothing that the runtime could bring.
    #[error(
        "the handler awaits something that is not in the journal{}: IO, a timer, a task or a channel, \
         which is lost now that the attempt ends; do IO in a run, and await everything in the handler",
        after.as_deref().map(|at| format!(", after {at}")).unwrap_or_default()
    )]
    WaitsForNothing {
        /// Where user code was when it last asked for something.
        after: Option<String>,
    },
    /// The runtime said something that the protocol does not allow here.
    #[error("the runtime broke the protocol: {0}")]
    Protocol(String),
    /// A frame could not be read.
    #[error("the runtime sent a frame that cannot be read: {0}")]
    Wire(#[from] WireError),
    /// The handler asked for something that the negotiated protocol does not have.
    #[error("{feature} needs service protocol {needed} or newer; this attempt speaks {spoken}")]
    Unsupported {
        /// What was asked for.
        feature: &'static str,
        /// Which version has it.
        needed: u32,
        /// Which version is spoken.
        spoken: u32,
    },
    /// The attempt has ended already.
    #[error("the attempt has ended")]
    Closed,
}

impl VmError {
    /// Code on the wire.
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

    /// Says where in user code it happened.
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

/// A command for people. Payloads may be large; the start says which they are.
pub(crate) fn show(named: &NamedCommand) -> String {
    let text = match named.name.as_str() {
        "" => format!("{:?}", named.command),
        name => format!("{:?} named '{name}'", named.command),
    };
    text.chars().take(300).collect()
}
