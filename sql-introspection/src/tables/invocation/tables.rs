//! The tables over invocations.

use std::borrow::Cow;

use super::{
    Invocation, InvocationFilter, Status,
    columns::{
        Col, KEY, REST, SERVICE, STATUS, completion_failure, completion_result, durable,
        of_attempts, status_column,
    },
};
use crate::{
    pushdown::{Constraints, TimeRange},
    table::{Table, TableInfo},
};

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
        Col::partition_key(|it| Some(it.partition_key)).of(REST),
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
        Col::time(
            "paused_at",
            "Since when it is paused, or is to be paused once its attempt ends.",
            |it| Some(it.pause.as_ref()?.at),
        )
        .of(REST),
        Col::text("paused_by", "The operator who paused it; null if its last failure did.", |it| {
            it.pause.as_ref()?.operator.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::text("pause_reason", "Why, in the operator's words.", |it| {
            it.pause.as_ref()?.reason.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::text(
            "paused_waiting_for",
            "What it waited for when it was paused: its next attempt, or results by their numbers.",
            |it| it.pause.as_ref()?.waited_for.as_deref().map(Cow::from),
        )
        .of(REST),
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
        Col::partition_key(|it| Some(it.partition_key)).of(REST),
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
        Col::partition_key(|it| Some(it.partition_key)).of(REST),
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
            .of(SERVICE),
            Col::text("method", "Name of the handler.", |it| Some((&it.handler).into())).of(REST),
            Col::text("service_key_utf8", "Key of the virtual object or workflow.", |it| {
                it.key.as_deref().map(Cow::from)
            })
            .of(KEY),
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
