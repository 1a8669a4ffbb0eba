//! The columns that tables over invocations share.

use std::borrow::Cow;

use datafusion::arrow::datatypes::DataType;

use super::{Invocation, Part, Status};
use crate::column::Column;

pub(super) type Col = Column<Invocation>;

pub(super) const STATUS: &[Part] = &[Part::Status];
pub(super) const SERVICE: &[Part] = &[Part::Service];
pub(super) const KEY: &[Part] = &[Part::Key];
pub(super) const REST: &[Part] = &[Part::Rest];

pub(super) fn status_column() -> Column<Invocation> {
    Col::text(
        "status",
        "scheduled: waits for its start time; pending: waits for its object's lock; running; \
         backing-off: waits for its next attempt; suspended: waits for results; paused: waits for an \
         operator; completed.",
        |it| Some(it.status.word().into()),
    )
    .of(STATUS)
}

pub(super) fn completion_result() -> Column<Invocation> {
    Col::text("completion_result", "success or failure, once it has ended.", |it| {
        it.completion.as_ref().map(|end| if end.is_ok() { "success" } else { "failure" }.into())
    })
    .of(REST)
}

pub(super) fn completion_failure() -> Column<Invocation> {
    Col::text("completion_failure", "The failure that it ended with, as [code] message.", |it| {
        it.completion.as_ref()?.as_ref().err().map(Cow::from)
    })
    .of(REST)
}

/// The columns that comparable servers store with an invocation, but for its status and result.
pub(super) fn durable() -> Vec<Column<Invocation>> {
    vec![
        Col::text("id", "Id of the invocation.", |it| Some((&it.id).into())).of(REST),
        Col::no_text("vqueue_id", "Always null: there are no virtual queues here."),
        Col::text("target", "What it runs: service/handler or service/key/handler.", |it| {
            Some(it.target().into())
        })
        .of(REST),
        Col::text("target_service_name", "Name of the service.", |it| Some((&it.service).into()))
            .of(SERVICE),
        Col::text("target_service_key", "Key of the virtual object or workflow.", |it| {
            it.key.as_deref().map(Cow::from)
        })
        .of(KEY),
        Col::text("target_handler_name", "Name of the handler.", |it| Some((&it.handler).into()))
            .of(REST),
        Col::text("target_service_ty", "service, virtual_object or workflow.", |it| {
            Some(it.service_kind.into())
        })
        .of(REST),
        Col::text(
            "scope",
            "The flow-control scope that its caller's SDK sent. Nothing is limited by it yet.",
            |it| it.scope.as_deref().map(Cow::from),
        )
        .of(REST),
        Col::text("limit_key", "The limit key that came with the scope.", |it| {
            it.limit_key.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::text("idempotency_key", "The client's idempotency key.", |it| {
            it.idempotency_key.as_deref().map(Cow::from)
        })
        .of(REST),
        Col::text(
            "invoked_by",
            "ingress or service: a client, or another invocation; restart_as_new: an operator.",
            |it| Some(it.invoked_by.word().into()),
        )
        .of(REST),
        Col::text("invoked_by_service_name", "Service of the caller.", |it| {
            it.invoked_by.service()
        })
        .of(REST),
        Col::text("invoked_by_id", "Invocation that called it.", |it| it.invoked_by.id()).of(REST),
        Col::text(
            "invoked_by_subscription_id",
            "Always null: there are no subscriptions yet.",
            |it| it.invoked_by.subscription(),
        )
        .of(REST),
        Col::text("invoked_by_target", "Target of the caller.", |it| it.invoked_by.target())
            .of(REST),
        Col::text("restarted_from", "The invocation that it is a restart of.", |it| {
            it.invoked_by.restarted_from()
        })
        .of(REST),
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
pub(super) fn of_attempts() -> Vec<Column<Invocation>> {
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
            "The deployment of the attempt under way, or the one that it is pinned to.",
            |it| it.last_deployment.as_deref().map(Cow::from),
        )
        .of(REST),
        Col::no_text("last_attempt_server", "Always null: sys_deployment has the SDK's name."),
        Col::text(
            "last_failure",
            "Why the last attempt failed, as [code] message, and the stack trace on the lines below, as \
             comparable servers write it; sys_attempt has them apart.",
            |it| it.last_failure.as_ref().map(|failure| (&failure.text).into()),
        )
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
