//! `sys_audit`: what operators have asked for.

use std::borrow::Cow;

use crate::{
    column::Column,
    source::Record,
    table::{Table, TableInfo},
};

use super::object::Whole;

/// An operation that an operator asked for. Times are milliseconds since the epoch.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Audited {
    pub at: u64,
    pub operator: String,
    pub reason: Option<String>,
    pub operation: &'static str,
    pub deployment: Option<String>,
    pub invocation: String,
    /// The handler as `service/key/handler`, and the service, if the invocation existed.
    pub target: Option<(String, String)>,
    pub status: Option<&'static str>,
    pub outcome: &'static str,
}

impl Record for Audited {
    type Filter = ();
    type Part = Whole;
}

/// `sys_audit`.
pub(crate) fn sys_audit() -> Table<Audited> {
    Table {
        info: TableInfo {
            name: "sys_audit",
            comment: "What operators have asked for: the last 100,000 operations of each partition.",
            pushed: &[],
            is_partitioned: true,
        },
        columns: vec![
            Column::time("at", "When it was done or refused.", |it: &Audited| Some(it.at)),
            Column::text("operator", "Who asked for it; local until there are roles.", |it| {
                Some((&it.operator).into())
            }),
            Column::text("reason", "Why, in the operator's words.", |it| {
                it.reason.as_deref().map(Cow::from)
            }),
            Column::text(
                "operation",
                "cancel, kill, pause, resume, purge or purge-journal.",
                |it| Some(it.operation.into()),
            ),
            Column::text("invocation_id", "Of which invocation.", |it| {
                Some((&it.invocation).into())
            }),
            Column::text("target", "The handler that it runs, as service/key/handler.", |it| {
                it.target.as_ref().map(|(target, _)| target.into())
            }),
            Column::text("target_service_name", "Its service.", |it| {
                it.target.as_ref().map(|(_, service)| service.into())
            }),
            Column::text("status_before", "Its status before, as in sys_invocation.", |it| {
                it.status.map(Cow::from)
            }),
            Column::text("deployment_id", "For resume: the deployment that it moved to.", |it| {
                it.deployment.as_deref().map(Cow::from)
            }),
            Column::text(
                "outcome",
                "done; requested: the invocation sees to it; refused: impossible in that status; not-found; not-pinned: nothing to move yet.",
                |it| Some(it.outcome.into()),
            ),
        ],
        filter: |_| (),
        order: |()| Some("at"),
    }
}
