//! Attempts: `sys_attempt`.

use std::borrow::Cow;

use crate::{
    column::Column,
    source::Record,
    table::{Table, TableInfo},
};

use super::{journal::OfInvocations, object::Whole};

/// An attempt: one under way, or one that failed. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Attempt {
    pub partition_key: u64,
    pub invocation: String,
    pub deployment: Option<String>,
    pub started_at: u64,
    /// The number of journal entries when it ended, or now.
    pub journal_len: u32,
    /// `None` while it is under way.
    pub failed: Option<Failed>,
}

/// How an attempt failed.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Failed {
    pub at: u64,
    pub code: u32,
    pub error_code: Option<String>,
    pub message: String,
    pub stacktrace: String,
    pub command_index: Option<u32>,
    pub command_name: Option<String>,
    pub command_type: Option<String>,
}

impl Record for Attempt {
    type Filter = OfInvocations;
    type Part = Whole;
}

type Col = Column<Attempt>;

/// `sys_attempt`.
pub(crate) fn sys_attempt() -> Table<Attempt> {
    Table {
        info: TableInfo {
            name: "sys_attempt",
            comment: "Attempts under way, and the last 16 of each invocation that failed.",
            pushed: &["id"],
            is_partitioned: true,
        },
        columns: vec![
            Col::partition_key(|it| Some(it.partition_key)),
            id(),
            Col::text("outcome", "running or failed.", |it| {
                Some(if it.failed.is_some() { "failed" } else { "running" }.into())
            }),
            Col::text(
                "deployment_id",
                "Where it runs or ran; null until an attempt of the invocation has stored something, \
                 which is what pins it.",
                |it| it.deployment.as_deref().map(Cow::from),
            ),
            Col::time("started_at", "When it started.", |it| Some(it.started_at)),
            Col::time("ended_at", "When it failed.", |it| Some(it.failed.as_ref()?.at)),
            Col::i64("duration_ms", "How long it took until it failed, in milliseconds.", |it| {
                let taken = it.failed.as_ref()?.at.saturating_sub(it.started_at);
                i64::try_from(taken).ok()
            }),
            Col::u32("journal_size", "Entries in the journal when it failed, or so far.", |it| {
                Some(it.journal_len)
            }),
            Col::text("failure", "Why it failed, as [code] message; 1 KiB is kept.", |it| {
                let failed = it.failed.as_ref()?;
                Some(format!("[{}] {}", failed.code, failed.message).into())
            }),
            Col::text("failure_error_code", "The runtime's code for it, such as RT0001.", |it| {
                it.failed.as_ref()?.error_code.as_deref().map(Cow::from)
            }),
            Col::text("failure_stacktrace", "Where it failed; 4 KiB is kept.", |it| {
                let stacktrace = &it.failed.as_ref()?.stacktrace;
                (!stacktrace.is_empty()).then(|| stacktrace.into())
            }),
            Col::u32("failure_command_index", "The command that failed.", |it| {
                it.failed.as_ref()?.command_index
            }),
            Col::text("failure_command_name", "Its name.", |it| {
                it.failed.as_ref()?.command_name.as_deref().map(Cow::from)
            }),
            Col::text("failure_command_type", "Its type.", |it| {
                it.failed.as_ref()?.command_type.as_deref().map(Cow::from)
            }),
        ],
        filter: |constraints| OfInvocations { ids: constraints.texts("id") },
        order: |_| None,
    }
}

fn id() -> Col {
    Col::text("id", "The invocation.", |it| Some((&it.invocation).into()))
}
