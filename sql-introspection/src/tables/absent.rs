//! Tables of comparable servers that have no counterpart here. They exist, so that queries of their
//! tools work, and are always empty.

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, Field, Schema, TimeUnit},
    catalog::TableProvider,
    datasource::empty::EmptyTable,
};

use crate::{column::time_type, table::Description};

use Type::{Bool, Duration, Number, Number32, Text, Time};

#[derive(Clone, Copy)]
enum Type {
    Bool,
    Duration,
    Number,
    Number32,
    Text,
    Time,
}

impl Type {
    fn data_type(self) -> DataType {
        match self {
            Bool => DataType::Boolean,
            Duration => DataType::Duration(TimeUnit::Millisecond),
            Number => DataType::UInt64,
            Number32 => DataType::UInt32,
            Text => DataType::Utf8View,
            Time => time_type(),
        }
    }
}

/// A table: its name, why it is empty, and its columns.
type Absent = (&'static str, &'static str, &'static [(&'static str, Type)]);

const ABSENT: &[Absent] = &[
    (
        "sys_rules",
        "Always empty: there is no flow control.",
        &[
            ("pattern", Text),
            ("concurrency", Number32),
            ("description", Text),
            ("disabled", Bool),
            ("version", Number32),
            ("last_modified", Time),
        ],
    ),
    (
        "sys_scheduler",
        "Always empty: there are no virtual queues. sys_inbox has the queues of objects.",
        &[
            ("partition_key", Number),
            ("id", Text),
            ("num_inbox", Number),
            ("status", Text),
            ("head_entry_id", Text),
            ("scheduled_at", Time),
            ("blocked_on", Text),
            ("blocked_on_json", Text),
            ("invoker_concurrency_block_duration", Duration),
            ("throttling_rules_block_duration", Duration),
            ("invoker_throttling_block_duration", Duration),
            ("invoker_memory_block_duration", Duration),
            ("concurrency_rules_block_duration", Duration),
            ("lock_block_duration", Duration),
            ("deployment_concurrency_block_duration", Duration),
        ],
    ),
    (
        "sys_user_limits",
        "Always empty: there is no flow control.",
        &[
            ("partition_key", Number),
            ("scope", Text),
            ("l1", Text),
            ("l2", Text),
            ("level", Text),
            ("usage", Number32),
            ("concurrency_limit", Number32),
            ("rule_pattern", Text),
            ("available", Number32),
            ("num_waiters", Number),
        ],
    ),
    (
        "sys_vqueue_entry_status",
        "Always empty: there are no virtual queues.",
        &[
            ("partition_key", Number),
            ("entry_id", Text),
            ("vqueue_id", Text),
            ("stage", Text),
            ("status", Text),
            ("has_lock", Bool),
            ("next_at", Time),
            ("sequence_number", Number),
            ("entry_kind", Text),
            ("created_at", Time),
            ("transitioned_at", Time),
            ("num_attempts", Number32),
            ("num_errors", Number32),
            ("num_pauses", Number32),
            ("num_suspensions", Number32),
            ("num_yields", Number32),
            ("first_attempt_at", Time),
            ("latest_attempt_at", Time),
            ("first_runnable_at", Time),
            ("deployment", Text),
            ("needed_memory", Number),
            ("retry_attempts", Number32),
            ("retry_count_since_last_stored_command", Number32),
            ("latest_attempt_blocked_on_invoker_concurrency", Duration),
            ("latest_attempt_blocked_on_throttling_rules", Duration),
            ("latest_attempt_blocked_on_invoker_throttling", Duration),
            ("latest_attempt_blocked_on_invoker_memory", Duration),
            ("latest_attempt_blocked_on_concurrency_rules", Duration),
            ("latest_attempt_blocked_on_lock", Duration),
            ("latest_attempt_blocked_on_deployment_concurrency", Duration),
            ("total_blocked_on_invoker_concurrency", Duration),
            ("total_blocked_on_throttling_rules", Duration),
            ("total_blocked_on_invoker_throttling", Duration),
            ("total_blocked_on_invoker_memory", Duration),
            ("total_blocked_on_concurrency_rules", Duration),
            ("total_blocked_on_lock", Duration),
            ("total_blocked_on_deployment_concurrency", Duration),
        ],
    ),
    (
        "sys_vqueue_meta",
        "Always empty: there are no virtual queues.",
        &[
            ("partition_key", Number),
            ("id", Text),
            ("is_active", Bool),
            ("queue_is_paused", Bool),
            ("service_name", Text),
            ("scope", Text),
            ("limit_key", Text),
            ("lock_name", Text),
            ("created_at", Time),
            ("last_enqueued_at", Time),
            ("last_start_at", Time),
            ("last_attempt_at", Time),
            ("last_finish_at", Time),
            ("avg_queue_duration", Duration),
            ("avg_inbox_duration", Duration),
            ("avg_run_duration", Duration),
            ("avg_suspension_duration", Duration),
            ("avg_end_to_end_duration", Duration),
            ("avg_blocked_on_concurrency_rules", Duration),
            ("avg_blocked_on_invoker_concurrency", Duration),
            ("avg_blocked_on_invoker_throttling", Duration),
            ("avg_blocked_on_lock", Duration),
            ("num_inbox", Number),
            ("num_running", Number),
            ("num_suspended", Number),
            ("num_paused", Number),
            ("num_finished", Number),
        ],
    ),
    (
        "sys_vqueues",
        "Always empty: there are no virtual queues.",
        &[
            ("partition_key", Number),
            ("id", Text),
            ("stage", Text),
            ("status", Text),
            ("has_lock", Bool),
            ("run_at", Time),
            ("sequence_number", Number),
            ("entry_id", Text),
            ("entry_kind", Text),
            ("created_at", Time),
            ("transitioned_at", Time),
            ("num_attempts", Number32),
            ("num_errors", Number32),
            ("num_pauses", Number32),
            ("num_suspensions", Number32),
            ("num_yields", Number32),
            ("first_attempt_at", Time),
            ("latest_attempt_at", Time),
            ("first_runnable_at", Time),
            ("deployment", Text),
        ],
    ),
];

/// The tables.
pub(crate) fn all() -> impl Iterator<Item = (Description, Arc<dyn TableProvider>)> {
    ABSENT.iter().map(|(name, comment, columns)| {
        let fields = columns.iter().map(|(name, ty)| Field::new(*name, ty.data_type(), true));
        let table = EmptyTable::new(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
        let column_comments = vec![*comment; columns.len()];
        let description = Description { name, comment, column_comments };
        (description, Arc::new(table) as Arc<dyn TableProvider>)
    })
}
