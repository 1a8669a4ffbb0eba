//! What an invocation runs: a handler of a service, virtual object or workflow.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a service.
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
    /// Its name in the API and in messages.
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

/// What a handler may do, and how many may run per key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HandlerKind {
    /// A handler of a plain service: no state, unlimited concurrency.
    Service,
    /// A writer of an object's state: one at a time per key.
    Exclusive,
    /// A reader of an object's or workflow's state; runs concurrently with the writer.
    Shared,
    /// A workflow's `run`: once per key.
    Workflow,
}

impl HandlerKind {
    /// Whether the handler can read keyed state.
    pub fn reads_state(self) -> bool {
        self != Self::Service
    }

    /// Whether the handler can modify keyed state.
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
    /// Builds a target from its parts; pass an empty key for a plain service.
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
