//! What happens later, and what invocations wait for.

use std::borrow::Cow;

use crate::{
    column::Column,
    source::Record,
    table::{Table, TableInfo},
};

use super::{journal::OfInvocations, object::Whole};

/// A timer that has not fired yet.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Timer {
    pub at: u64,
    pub invocation: String,
    pub kind: &'static str,
    pub completion: Option<u32>,
}

/// One of the things that an invocation waits for.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Wait {
    pub invocation: String,
    pub target: String,
    pub kind: &'static str,
    pub until: Option<u64>,
    pub completion: Option<u32>,
    pub signal: Option<String>,
    /// Of the promise, the awakeable, the call's target, and so on.
    pub name: Option<String>,
    pub waits_for: Option<String>,
}

impl Record for Timer {
    type Filter = ();
    type Part = Whole;
}

impl Record for Wait {
    type Filter = OfInvocations;
    type Part = Whole;
}

/// `sys_timer`.
pub(crate) fn sys_timer() -> Table<Timer> {
    Table {
        info: TableInfo {
            name: "sys_timer",
            comment: "Timers that have not fired yet.",
            pushed: &[],
            is_partitioned: true,
        },
        columns: vec![
            Column::time("fires_at", "When it fires.", |it: &Timer| Some(it.at)),
            Column::text("invocation_id", "The invocation that it is for.", |it| {
                Some((&it.invocation).into())
            }),
            Column::text("kind", "start: a delayed invocation; retry; sleep.", |it| {
                Some(it.kind.into())
            }),
            Column::u32("completion_id", "Of a sleep: the completion that it resolves.", |it| {
                it.completion
            }),
        ],
        filter: |_| (),
        order: |()| Some("fires_at"),
    }
}

/// `sys_wait`.
pub(crate) fn sys_wait() -> Table<Wait> {
    Table {
        info: TableInfo {
            name: "sys_wait",
            comment: "What invocations wait for that are not running: a row for each thing.",
            pushed: &["id"],
            is_partitioned: true,
        },
        columns: vec![
            Column::text(
                "id",
                "The invocation that waits: scheduled, pending, backing-off, suspended or paused. One that \
                 waits while its attempt is still connected is running, and not here.",
                |it: &Wait| Some((&it.invocation).into()),
            ),
            Column::text("target", "What it runs.", |it| Some((&it.target).into())),
            Column::text(
                "kind",
                "start time, next attempt, lock, operator, or the kind of a result, such as Call.",
                |it| Some(it.kind.into()),
            ),
            Column::time("until", "When the wait ends, if that is known.", |it| it.until),
            Column::u32("completion_id", "The number of the awaited result.", |it| it.completion),
            Column::text("signal", "The number or name of the awaited signal.", |it| {
                it.signal.as_deref().map(Cow::from)
            }),
            Column::text(
                "name",
                "What is awaited: the name of the promise, the awakeable's id, the target of the call, \
                 the signal, or the name that the handler gave it.",
                |it| it.name.as_deref().map(Cow::from),
            ),
            Column::text(
                "waits_for_id",
                "The invocation that it waits for, if that is known: the lock's holder, or a callee.",
                |it| it.waits_for.as_deref().map(Cow::from),
            ),
        ],
        filter: |constraints| OfInvocations { ids: constraints.texts("id") },
        order: |_| None,
    }
}
