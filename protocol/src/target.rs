//! What an invocation runs: a handler of a service, virtual object or workflow.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a service, as users know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceKind {
    /// Stateless: no key.
    Service,
    /// Keyed state with one writer per key.
    VirtualObject,
    /// Keyed, with a `run` handler that runs once per key.
    Workflow,
}

impl ServiceKind {
    /// Its name, as the API and messages say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::VirtualObject => "VirtualObject",
            Self::Workflow => "Workflow",
        }
    }

    /// Whether its handlers are addressed by a key.
    pub fn is_keyed(self) -> bool {
        self != Self::Service
    }
}

/// What a handler may do and how many of it may run for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HandlerKind {
    /// A handler of a plain service: no state, no limit.
    Service,
    /// A virtual object's writer: one at a time for each key.
    Exclusive,
    /// A reader of an object's or workflow's state; runs beside the writer.
    Shared,
    /// A workflow's `run`: once for each key.
    Workflow,
}

impl HandlerKind {
    /// Whether the handler has keyed state to read.
    pub fn reads_state(self) -> bool {
        self != Self::Service
    }

    /// Whether the handler may change keyed state.
    pub fn writes_state(self) -> bool {
        matches!(self, Self::Exclusive | Self::Workflow)
    }
}

/// The address of a handler: service, key (empty for a plain service) and handler name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Name of the service.
    pub service: String,
    /// Key of the object or workflow; empty for a plain service.
    pub key: String,
    /// Name of the handler.
    pub handler: String,
}

impl Target {
    /// A target from its parts.
    pub fn new(
        service: impl Into<String>,
        key: impl Into<String>,
        handler: impl Into<String>,
    ) -> Self {
        Self { service: service.into(), key: key.into(), handler: handler.into() }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}/{}", self.service, self.handler)
        } else {
            write!(f, "{}/{}/{}", self.service, self.key, self.handler)
        }
    }
}
