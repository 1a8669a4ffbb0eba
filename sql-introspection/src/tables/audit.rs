//! `sys_audit`: what operators have asked for.

use std::borrow::Cow;

use crate::{
    column::Column,
    source::Record,
    table::{Table, TableInfo},
};

use super::object::Whole;

/// Something that an operator asked for. Times are milliseconds since the epoch.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns document them")]
pub struct Audited {
    pub at: u64,
    pub asked_at: u64,
    pub operator: String,
    pub reason: Option<String>,
    pub operation: &'static str,
    pub deployment: Option<String>,
    pub invocation: Option<String>,
    /// What it was done to, if that existed.
    pub target: Option<Target>,
    pub status: Option<&'static str>,
    pub outcome: &'static str,
    /// The state before an edit of it.
    pub before: Option<StateSize>,
    /// The state after it.
    pub after: Option<StateSize>,
    /// What it has changed, as JSON.
    pub changes: Option<String>,
    pub new_invocation: Option<String>,
    pub from_entry: Option<u32>,
    /// Whether a change of the registry was to be done in any case.
    pub is_forced: Option<bool>,
    /// What the removal of a deployment has left behind, as JSON.
    pub stranded: Option<String>,
}

/// What an operation was done to.
#[derive(Debug, Clone)]
pub struct Target {
    /// As `service/key/handler`, `service/key` for a state, or the name of a service.
    pub path: String,
    /// Name of the service.
    pub service: String,
    /// Key of the virtual object or workflow; empty for a plain service.
    pub key: String,
}

/// Version and size of a state.
#[derive(Debug, Clone)]
pub struct StateSize {
    /// Its version.
    pub version: String,
    /// The bytes of its keys and values.
    pub bytes: u64,
}

fn bytes(state: Option<&StateSize>) -> Option<i64> {
    i64::try_from(state?.bytes).ok()
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
            comment: "What operators have asked for: the last 100,000 entries of each partition. An edit of state that is queued has a second one when its turn comes.",
            pushed: &[],
            is_partitioned: true,
        },
        columns: vec![
            Column::time("at", "When it was done, queued or refused.", |it: &Audited| Some(it.at)),
            Column::text("operator", "Who asked for it; local until there are roles.", |it| {
                Some((&it.operator).into())
            }),
            Column::text("reason", "Why, in the operator's words.", |it| {
                it.reason.as_deref().map(Cow::from)
            }),
            Column::text(
                "operation",
                "cancel, kill, pause, resume, restart-as-new, purge or purge-journal; replace-state or patch-state; register-deployment, update-deployment, remove-deployment or configure-service.",
                |it| Some(it.operation.into()),
            ),
            Column::text(
                "invocation_id",
                "Of which invocation; of an edit that was queued, behind which one.",
                |it| it.invocation.as_deref().map(Cow::from),
            ),
            Column::text(
                "target",
                "The handler that it runs, as service/key/handler; of an edit, service/key; of settings, the service.",
                |it| it.target.as_ref().map(|target| (&target.path).into()),
            ),
            Column::text("target_service_name", "Its service.", |it| {
                it.target.as_ref().map(|target| (&target.service).into())
            }),
            Column::text("target_service_key", "Its key, if it is not a plain service.", |it| {
                let target = it.target.as_ref().filter(|target| !target.key.is_empty())?;
                Some((&target.key).into())
            }),
            Column::text("status_before", "Its status before, as in sys_invocation.", |it| {
                it.status.map(Cow::from)
            }),
            Column::text(
                "deployment_id",
                "For resume: the deployment that it moved to; for restart-as-new: the one that was chosen; for a change of the registry: the one that it is about, which is the latest of a configured service.",
                |it| it.deployment.as_deref().map(Cow::from),
            ),
            Column::text(
                "outcome",
                "done; requested: the invocation sees to it; refused: impossible in that status; not-found; not-pinned: nothing to move yet; not-restartable. Of an edit: done; conflict: the state had another version than the expected one; queued: it waits for an invocation that holds the key; too-many: too many wait already. Of a change of the registry: done; already-registered; kind-changed; address-taken; lost: something would no longer be offered; not-a-workflow; not-found.",
                |it| Some(it.outcome.into()),
            ),
            Column::time("requested_at", "When it was asked for.", |it| Some(it.asked_at)),
            Column::text("version_before", "The version of the state before an edit.", |it| {
                it.before.as_ref().map(|state| (&state.version).into())
            }),
            Column::text("version_after", "The version of the state after it.", |it| {
                it.after.as_ref().map(|state| (&state.version).into())
            }),
            Column::i64("bytes_before", "The size of the state before an edit.", |it| {
                bytes(it.before.as_ref())
            }),
            Column::i64("bytes_after", "The size of the state after it.", |it| {
                bytes(it.after.as_ref())
            }),
            Column::text(
                "changes_json",
                "What an edit or a change of the registry has changed, as JSON: each key with its value before and after, up to 16 KiB. Longer values than 1 KiB are given by their length and hash; bytes that are no text, in hexadecimal; values of headers, not at all.",
                |it| it.changes.as_deref().map(Cow::from),
            ),
            Column::text("new_invocation_id", "For restart-as-new: the new invocation.", |it| {
                it.new_invocation.as_deref().map(Cow::from)
            }),
            Column::u32(
                "from_entry_index",
                "For restart-as-new: the last entry it began with.",
                |it| it.from_entry,
            ),
            Column::bool(
                "forced",
                "For register-deployment and remove-deployment: whether with force; for update-deployment: whether with overwrite.",
                |it| it.is_forced,
            ),
            Column::text(
                "stranded_json",
                "For remove-deployment: how many unfinished invocations were pinned to it, as JSON by service and status.",
                |it| it.stranded.as_deref().map(Cow::from),
            ),
        ],
        filter: |_| (),
        order: |()| Some("at"),
    }
}
