//! Invocations: `sys_invocation`, its two halves as comparable servers split it, and `sys_status`,
//! the table of old clients.

use std::borrow::Cow;

use crate::{pushdown::TimeRange, source::Record};

mod columns;
mod tables;

pub(crate) use tables::{sys_invocation, sys_invocation_state, sys_invocation_status, sys_status};

/// An invocation without its journal and its result. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Invocation {
    pub partition_key: u64,
    pub id: String,
    pub status: Status,
    pub service: String,
    /// Name that old clients know the service by, if it differs.
    pub alias: Option<String>,
    /// `None` for a plain service.
    pub key: Option<String>,
    pub handler: String,
    pub service_kind: &'static str,
    pub scope: Option<String>,
    pub limit_key: Option<String>,
    pub idempotency_key: Option<String>,
    pub invoked_by: InvokedBy,
    pub pinned_deployment: Option<String>,
    pub pinned_protocol_version: Option<u32>,
    pub journal_size: u32,
    pub journal_commands: u32,
    pub journal_bytes: u64,
    pub created_at: u64,
    pub modified_at: u64,
    pub scheduled_start_at: Option<u64>,
    pub running_at: Option<u64>,
    pub completed_at: Option<u64>,
    pub expires_at: Option<u64>,
    pub completion_retention_ms: u64,
    pub journal_retention_ms: u64,
    pub awaited_completions: Vec<u32>,
    pub awaited_signals: Vec<u32>,
    pub last_deployment: Option<String>,
    pub retry_count: Option<u64>,
    pub last_start_at: Option<u64>,
    pub next_retry_at: Option<u64>,
    pub last_failure: Option<Failure>,
    pub pause: Option<Pause>,
    /// How it ended: nothing, or its failure as `[code] message`.
    pub completion: Option<Result<(), String>>,
    /// Size in bytes of what it returned.
    pub result_bytes: Option<u64>,
}

/// Where an invocation is in its lifecycle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the documentation of the column says")]
pub enum Status {
    Scheduled,
    Pending,
    #[default]
    Running,
    BackingOff,
    Suspended,
    Paused,
    Completed,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Pending,
        Self::Running,
        Self::BackingOff,
        Self::Suspended,
        Self::Paused,
        Self::Completed,
    ];

    /// The word of `sys_invocation`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::BackingOff => "backing-off",
            Self::Suspended => "suspended",
            Self::Paused => "paused",
            Self::Completed => "completed",
        }
    }

    /// The word of `sys_invocation_status`, which does not tell attempts from back-offs.
    fn raw_word(self) -> &'static str {
        match self {
            Self::Pending => "inboxed",
            Self::Running | Self::BackingOff => "invoked",
            Self::Scheduled | Self::Suspended | Self::Paused | Self::Completed => self.word(),
        }
    }
}

/// Where the request for an invocation came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum InvokedBy {
    /// A client.
    #[default]
    Ingress,
    /// Another invocation.
    Invocation {
        /// Its id.
        id: String,
        /// Its service.
        service: String,
        /// Its target.
        target: String,
    },
    /// A producer, such as a Kafka topic.
    Producer(String),
    /// An operator, who restarted this invocation.
    Restarted(String),
}

/// A pause, or the wish for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub at: u64,
    /// Who asked for it; `None` if its last failure did.
    pub operator: Option<String>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// What it waited for at that time, in words.
    pub waited_for: Option<String>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Failure {
    pub text: String,
    pub error_code: Option<String>,
    pub command_index: Option<u64>,
    pub command_name: Option<String>,
    pub command_type: Option<String>,
}

/// The parts of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its status.
    Status,
    /// Its service.
    Service,
    /// Its key.
    Key,
    /// Everything else.
    Rest,
}

/// Which invocations to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvocationFilter {
    /// Only these ids.
    pub ids: Option<Vec<String>>,
    /// Only these services.
    pub services: Option<Vec<String>>,
    /// Only these keys.
    pub keys: Option<Vec<String>>,
    /// Only these statuses.
    pub statuses: Option<Vec<Status>>,
    /// Only those pinned to one of these deployments.
    pub deployments: Option<Vec<String>>,
    /// Only those created in this time.
    pub created_at: TimeRange,
}

impl Record for Invocation {
    type Filter = InvocationFilter;
    type Part = Part;
}

impl InvokedBy {
    fn word(&self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Invocation { .. } => "service",
            Self::Producer(_) => "subscription",
            Self::Restarted(_) => "restart_as_new",
        }
    }

    fn id(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Invocation { id, .. } => Some(id.into()),
            Self::Ingress | Self::Producer(_) | Self::Restarted(_) => None,
        }
    }

    fn service(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Invocation { service, .. } => Some(service.into()),
            Self::Ingress | Self::Producer(_) | Self::Restarted(_) => None,
        }
    }

    fn target(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Invocation { target, .. } => Some(target.into()),
            Self::Ingress | Self::Producer(_) | Self::Restarted(_) => None,
        }
    }

    fn subscription(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Producer(name) => Some(name.into()),
            Self::Ingress | Self::Invocation { .. } | Self::Restarted(_) => None,
        }
    }

    fn restarted_from(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Restarted(id) => Some(id.into()),
            Self::Ingress | Self::Invocation { .. } | Self::Producer(_) => None,
        }
    }
}

impl Invocation {
    /// The target as `service/key/handler`.
    fn target(&self) -> String {
        match &self.key {
            Some(key) => format!("{}/{key}/{}", self.service, self.handler),
            None => format!("{}/{}", self.service, self.handler),
        }
    }
}
