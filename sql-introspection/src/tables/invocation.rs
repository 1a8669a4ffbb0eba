//! Invocations: `sys_invocation`, its two halves as comparable servers split it, and `sys_status`,
//! the table of old clients.

use std::borrow::Cow;

use datafusion::arrow::datatypes::DataType;

use crate::{
    column::Column,
    pushdown::{Constraints, TimeRange},
    source::Record,
    table::{Table, TableInfo},
};

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
    pub retry_count: Option<u64>,
    pub last_start_at: Option<u64>,
    pub next_retry_at: Option<u64>,
    pub last_failure: Option<Failure>,
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
    /// Its service and key.
    Object,
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

type Col = Column<Invocation>;

const STATUS: &[Part] = &[Part::Status];
const OBJECT: &[Part] = &[Part::Object];
const REST: &[Part] = &[Part::Rest];

fn filter(constraints: &Constraints, word: fn(Status) -> &'static str) -> InvocationFilter {
    let statuses = constraints.texts("status").map(|words| {
        let is_wanted = |status: &Status| words.iter().any(|wanted| wanted == word(*status));
        Status::ALL.into_iter().filter(is_wanted).collect()
    });
    InvocationFilter {
        ids: constraints.texts("id"),
        services: constraints.texts("target_service_name"),
        keys: constraints.texts("target_service_key"),
        statuses,
        deployments: constraints.texts("pinned_deployment_id"),
        created_at: constraints.times("created_at"),
    }
}

const PUSHED: &[&str] = &[
    "id",
    "target_service_name",
    "target_service_key",
    "status",
    "pinned_deployment_id",
    "created_at",
];

/// In the order in which invocations are read without ids, creation.
fn order(filter: &InvocationFilter) -> Option<&'static str> {
    filter.ids.is_none().then_some("created_at")
}

/// `sys_invocation`.
pub(crate) fn sys_invocation() -> Table<Invocation> {
    let mut columns = durable();
    columns.extend(of_attempts());
    columns.extend([
        status_column(),
        completion_result(),
        completion_failure(),
        Col::u64("partition_key", "Hash that selects the partition.", |it| Some(it.partition_key))
            .of(REST),
        Col::i64(
            "completion_retention_ms",
            "How long the result is kept, in milliseconds.",
            |it| i64::try_from(it.completion_retention_ms).ok(),
        )
        .of(REST),
        Col::i64("journal_retention_ms", "How long the journal is kept, in milliseconds.", |it| {
            i64::try_from(it.journal_retention_ms).ok()
        })
        .of(REST),
        Col::i64("journal_bytes", "Size of its journal, in bytes.", |it| {
            i64::try_from(it.journal_bytes).ok()
        })
        .of(REST),
        Col::i64("result_bytes", "Size of what it returned, in bytes.", |it| {
            it.result_bytes.and_then(|bytes| i64::try_from(bytes).ok())
        })
        .of(REST),
        Col::time("expires_at", "When it is removed.", |it| it.expires_at).of(REST),
    ]);
    Table {
        info: TableInfo {
            name: "sys_invocation",
            comment: "Invocations: those under way, and those that ended and are still kept.",
            pushed: PUSHED,
            is_partitioned: true,
        },
        columns,
        filter: |constraints| filter(constraints, Status::word),
        order,
    }
}

/// `sys_invocation_status`.
pub(crate) fn sys_invocation_status() -> Table<Invocation> {
    let mut columns = vec![
        partition_key(),
        Col::text("id", "Id of the invocation.", |it| Some((&it.id).into())).of(REST),
        Col::no_text("vqueue_id", "Always null: there are no virtual queues here."),
        Col::text("status", "scheduled, inboxed, invoked, suspended, paused or completed.", |it| {
            Some(it.status.raw_word().into())
        })
        .of(STATUS),
        completion_result(),
        completion_failure(),
    ];
    columns.extend(durable().into_iter().filter(|it| it.name != "id" && it.name != "vqueue_id"));
    Table {
        info: TableInfo {
            name: "sys_invocation_status",
            comment: "What is stored of each invocation.",
            pushed: PUSHED,
            is_partitioned: true,
        },
        columns,
        filter: |constraints| filter(constraints, Status::raw_word),
        order,
    }
}

/// `sys_invocation_state`.
pub(crate) fn sys_invocation_state() -> Table<Invocation> {
    let mut columns = vec![
        partition_key(),
        Col::text("id", "Id of the invocation.", |it| Some((&it.id).into())).of(REST),
        Col::bool("in_flight", "Whether an attempt is under way.", |it| {
            Some(it.status == Status::Running)
        })
        .of(STATUS),
    ];
    columns.extend(of_attempts());
    Table {
        info: TableInfo {
            name: "sys_invocation_state",
            comment: "The attempts of each invocation that has not ended.",
            pushed: &["id"],
            is_partitioned: true,
        },
        columns,
        filter: |constraints| InvocationFilter {
            ids: constraints.texts("id"),
            services: None,
            keys: None,
            // What has ended has no attempts.
            statuses: Some(
                Status::ALL.into_iter().filter(|status| *status != Status::Completed).collect(),
            ),
            deployments: None,
            created_at: TimeRange::ALL,
        },
        order: |_| None,
    }
}

/// `sys_status`, as clients of the first versions of comparable servers know it.
pub(crate) fn sys_status() -> Table<Invocation> {
    Table {
        info: TableInfo {
            name: "sys_status",
            comment: "Invocations under the column names of older servers.",
            pushed: &["id", "status", "service_key_utf8"],
            is_partitioned: true,
        },
        columns: vec![
            Col::text("service", "Name of the service, or its alias if it has one.", |it| {
                Some(it.alias.as_deref().unwrap_or(&it.service).into())
            })
            .of(OBJECT),
            Col::text("method", "Name of the handler.", |it| Some((&it.handler).into())).of(REST),
            Col::text("service_key_utf8", "Key of the virtual object or workflow.", |it| {
                it.key.as_deref().map(Cow::from)
            })
            .of(OBJECT),
            Col::text("id", "Id of the invocation.", |it| Some((&it.id).into())).of(REST),
            status_column(),
            Col::text("invoked_by_service", "Service of the caller, if it is one.", |it| {
                it.invoked_by.service()
            })
            .of(REST),
            Col::text("invoked_by_id", "Invocation that called it, if one did.", |it| {
                it.invoked_by.id()
            })
            .of(REST),
        ],
        filter: |constraints| InvocationFilter {
            ids: constraints.texts("id"),
            services: None,
            keys: constraints.texts("service_key_utf8"),
            statuses: filter(constraints, Status::word).statuses,
            deployments: None,
            created_at: TimeRange::ALL,
        },
        order: |_| None,
    }
}

impl InvokedBy {
    fn word(&self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Invocation { .. } => "service",
            Self::Producer(_) => "subscription",
        }
    }

    fn id(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Invocation { id, .. } => Some(id.into()),
            Self::Ingress | Self::Producer(_) => None,
        }
    }

    fn service(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Invocation { service, .. } => Some(service.into()),
            Self::Ingress | Self::Producer(_) => None,
        }
    }

    fn target(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Invocation { target, .. } => Some(target.into()),
            Self::Ingress | Self::Producer(_) => None,
        }
    }

    fn subscription(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Producer(name) => Some(name.into()),
            Self::Ingress | Self::Invocation { .. } => None,
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

fn partition_key() -> Column<Invocation> {
    Col::u64("partition_key", "Hash that selects the partition.", |it| Some(it.partition_key))
        .of(REST)
}

fn status_column() -> Column<Invocation> {
    Col::text(
        "status",
        "scheduled: waits for its start time; pending: waits for its object's lock; running; \
         backing-off: waits for its next attempt; suspended: waits for results; paused: waits for an \
         operator; completed.",
        |it| Some(it.status.word().into()),
    )
    .of(STATUS)
}

fn completion_result() -> Column<Invocation> {
    Col::text("completion_result", "success or failure, once it has ended.", |it| {
        it.completion.as_ref().map(|end| if end.is_ok() { "success" } else { "failure" }.into())
    })
    .of(REST)
}

fn completion_failure() -> Column<Invocation> {
    Col::text("completion_failure", "The failure that it ended with, as [code] message.", |it| {
        it.completion.as_ref()?.as_ref().err().map(Cow::from)
    })
    .of(REST)
}

/// The columns that comparable servers store with an invocation, but for its status and result.
fn durable() -> Vec<Column<Invocation>> {
    vec![
        Col::text("id", "Id of the invocation.", |it| Some((&it.id).into())).of(REST),
        Col::no_text("vqueue_id", "Always null: there are no virtual queues here."),
        Col::text("target", "What it runs: service/handler or service/key/handler.", |it| {
            Some(it.target().into())
        })
        .of(REST),
        Col::text("target_service_name", "Name of the service.", |it| Some((&it.service).into()))
            .of(OBJECT),
        Col::text("target_service_key", "Key of the virtual object or workflow.", |it| {
            it.key.as_deref().map(Cow::from)
        })
        .of(OBJECT),
        Col::text("target_handler_name", "Name of the handler.", |it| Some((&it.handler).into()))
            .of(REST),
        Col::text("target_service_ty", "service, virtual_object or workflow.", |it| {
            Some(it.service_kind.into())
        })
        .of(REST),
        Col::text("scope", "Its flow-control scope.", |it| it.scope.as_deref().map(Cow::from))
            .of(REST),
        Col::text("limit_key", "Its limit key within the scope.", |it| {
            it.limit_key.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::text("idempotency_key", "The client's idempotency key.", |it| {
            it.idempotency_key.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::text("invoked_by", "ingress, service or subscription.", |it| {
            Some(it.invoked_by.word().into())
        })
        .of(REST),
        Col::text("invoked_by_service_name", "Service of the caller.", |it| {
            it.invoked_by.service()
        })
        .of(REST),
        Col::text("invoked_by_id", "Invocation that called it.", |it| it.invoked_by.id()).of(REST),
        Col::text("invoked_by_subscription_id", "Producer that submitted it.", |it| {
            it.invoked_by.subscription()
        })
        .of(REST),
        Col::text("invoked_by_target", "Target of the caller.", |it| it.invoked_by.target())
            .of(REST),
        Col::no_text("restarted_from", "Always null: invocations cannot be restarted yet."),
        Col::text("pinned_deployment_id", "The deployment it has to finish on.", |it| {
            it.pinned_deployment.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::u32("pinned_service_protocol_version", "Protocol version used there.", |it| {
            it.pinned_protocol_version
        })
        .of(REST),
        Col::no_text("trace_id", "Always null: there is no tracing yet."),
        Col::u32("journal_size", "Number of entries in its journal.", |it| Some(it.journal_size))
            .of(REST),
        Col::u32("journal_commands_size", "Number of commands among them.", |it| {
            Some(it.journal_commands)
        })
        .of(REST),
        Col::time("created_at", "When it was requested.", |it| Some(it.created_at)).of(REST),
        Col::no_text(
            "created_using_restate_version",
            "Always null: it was not created by that server.",
        ),
        Col::time("modified_at", "When its status last changed.", |it| Some(it.modified_at))
            .of(REST),
        Col::time("inboxed_at", "Since when it waits for its object's lock.", |it| {
            (it.status == Status::Pending).then_some(it.modified_at)
        })
        .of(&[Part::Status, Part::Rest]),
        Col::time("scheduled_at", "When its start was put off.", |it| {
            it.scheduled_start_at.map(|_| it.created_at)
        })
        .of(REST),
        Col::time("scheduled_start_at", "When it was to start, if it was delayed.", |it| {
            it.scheduled_start_at
        })
        .of(REST),
        Col::time("running_at", "When its first attempt started.", |it| it.running_at).of(REST),
        Col::time("completed_at", "When it ended.", |it| it.completed_at).of(REST),
        Col::duration("completion_retention", "How long the result is kept.", |it| {
            Some(it.completion_retention_ms)
        })
        .of(REST),
        Col::duration("journal_retention", "How long the journal is kept.", |it| {
            Some(it.journal_retention_ms)
        })
        .of(REST),
        Col::u32s(
            "suspended_waiting_for_completions",
            "The completions that it is suspended on.",
            |it| (it.status == Status::Suspended).then_some(&it.awaited_completions),
        )
        .of(&[Part::Status, Part::Rest]),
        Col::u32s(
            "suspended_waiting_for_signals",
            "The signals that it is suspended on; 1 cancels it.",
            |it| (it.status == Status::Suspended).then_some(&it.awaited_signals),
        )
        .of(&[Part::Status, Part::Rest]),
        Col::no_text(
            "suspended_waiting_future_json",
            "Always null: sys_wait says what it waits for.",
        ),
    ]
}

/// The columns that comparable servers keep in memory while an invocation is attempted.
fn of_attempts() -> Vec<Column<Invocation>> {
    vec![
        Col::u64(
            "retry_count",
            "How many attempts have been made since it last made progress.",
            |it| it.retry_count,
        )
        .of(REST),
        Col::time("last_start_at", "When the attempt under way started.", |it| it.last_start_at)
            .of(REST),
        Col::time("next_retry_at", "When the next attempt starts.", |it| it.next_retry_at).of(REST),
        Col::text(
            "last_attempt_deployment_id",
            "The deployment of its last attempt, once it is pinned.",
            |it| it.pinned_deployment.as_deref().map(Cow::from),
        )
        .of(REST),
        Col::no_text("last_attempt_server", "Always null: sys_deployment has the SDK's name."),
        Col::text("last_failure", "Why the last attempt failed.", |it| {
            it.last_failure.as_ref().map(|failure| (&failure.text).into())
        })
        .of(REST),
        Col::text("last_failure_error_code", "The runtime's code for it, such as RT0001.", |it| {
            it.last_failure.as_ref()?.error_code.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::nothing(
            "last_failure_related_entry_index",
            "Always null: deprecated elsewhere, too.",
            DataType::UInt64,
        ),
        Col::no_text("last_failure_related_entry_name", "Always null: deprecated elsewhere, too."),
        Col::no_text("last_failure_related_entry_type", "Always null: deprecated elsewhere, too."),
        Col::u64("last_failure_related_command_index", "The command that failed.", |it| {
            it.last_failure.as_ref()?.command_index
        })
        .of(REST),
        Col::text("last_failure_related_command_name", "Its name.", |it| {
            it.last_failure.as_ref()?.command_name.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::text("last_failure_related_command_type", "Its type.", |it| {
            it.last_failure.as_ref()?.command_type.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::no_text(
            "last_awaiting_on_future_json",
            "Always null: sys_wait says what it waits for.",
        ),
    ]
}
