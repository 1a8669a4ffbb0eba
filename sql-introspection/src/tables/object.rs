//! Virtual objects and workflows: who holds their locks, and who waits for them.

use crate::{
    column::Column,
    pushdown::Constraints,
    source::Record,
    table::{Table, TableInfo},
};

/// Which virtual objects or workflows to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectFilter {
    /// Only those of these services.
    pub services: Option<Vec<String>>,
    /// Only those of services with these aliases, or with these names and no alias.
    pub aliases: Option<Vec<String>>,
    /// Only these keys.
    pub keys: Option<Vec<String>>,
}

/// Records of which nothing is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {}

/// A lock that is held.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Lock {
    pub partition_key: u64,
    pub service: String,
    pub key: String,
    pub holder: String,
    pub queued: u32,
}

/// An invocation that waits for a lock.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct InvocationEntry {
    pub partition_key: u64,
    pub service: String,
    pub key: String,
    pub invocation: String,
    pub place: u64,
    pub since: u64,
}

impl Record for Lock {
    type Filter = ObjectFilter;
    type Part = Whole;
}

impl Record for InvocationEntry {
    type Filter = ObjectFilter;
    type Part = Whole;
}

pub(super) fn filter(constraints: &Constraints) -> ObjectFilter {
    ObjectFilter {
        services: constraints.texts("service_name"),
        aliases: None,
        keys: constraints.texts("service_key"),
    }
}

pub(super) const PUSHED: &[&str] = &["service_name", "service_key"];

/// `sys_keyed_service_status`.
pub(crate) fn sys_keyed_service_status() -> Table<Lock> {
    Table {
        info: TableInfo {
            name: "sys_keyed_service_status",
            comment: "Virtual objects that are locked, and by which invocation. Workflows run once for each key, and need no lock.",
            pushed: PUSHED,
            is_partitioned: true,
        },
        columns: vec![
            Column::partition_key(|it: &Lock| Some(it.partition_key)),
            Column::text("service_name", "Name of the service.", |it| Some((&it.service).into())),
            Column::text("service_key", "Key of the virtual object.", |it| Some((&it.key).into())),
            Column::text("invocation_id", "The invocation that holds the lock.", |it| {
                Some((&it.holder).into())
            }),
            Column::u32("queued", "How many invocations wait for the lock.", |it| Some(it.queued)),
        ],
        filter,
        order: |_| None,
    }
}

/// `sys_locks`.
pub(crate) fn sys_locks() -> Table<Lock> {
    Table {
        info: TableInfo {
            name: "sys_locks",
            comment: "The same locks of virtual objects as sys_keyed_service_status, under newer names.",
            pushed: &[],
            is_partitioned: true,
        },
        columns: vec![
            Column::partition_key(|it: &Lock| Some(it.partition_key)),
            Column::no_text("scope", "Always null: locks belong to no scope."),
            Column::text("lock_name", "Service and key, as service/key.", |it| {
                Some(format!("{}/{}", it.service, it.key).into())
            }),
            Column::nothing(
                "acquired_at",
                "Always null: running_at of the invocation says it.",
                crate::column::time_type(),
            ),
            Column::text("acquired_by", "The invocation that holds the lock.", |it| {
                Some((&it.holder).into())
            }),
        ],
        filter: |_| ObjectFilter::default(),
        order: |_| None,
    }
}

/// `sys_inbox`.
pub(crate) fn sys_inbox() -> Table<InvocationEntry> {
    Table {
        info: TableInfo {
            name: "sys_inbox",
            comment: "Invocations that wait for the lock of their virtual object.",
            pushed: PUSHED,
            is_partitioned: true,
        },
        columns: vec![
            Column::partition_key(|it: &InvocationEntry| Some(it.partition_key)),
            Column::text("service_name", "Name of the service.", |it| Some((&it.service).into())),
            Column::text("service_key", "Key of the virtual object.", |it| Some((&it.key).into())),
            Column::text("id", "The invocation that waits.", |it| Some((&it.invocation).into())),
            Column::u64(
                "sequence_number",
                "Its place in the queue; the smaller goes first.",
                |it| Some(it.place),
            ),
            Column::nothing(
                "created_at",
                "Always null, as elsewhere; waiting_since says when it was queued.",
                crate::column::time_type(),
            ),
            Column::time("waiting_since", "When it was queued.", |it| Some(it.since)),
        ],
        filter,
        order: |_| None,
    }
}
