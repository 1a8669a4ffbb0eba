//! Something happened to an invocation that its journal does not show.

use protocol::DeploymentId;

use super::running;
use crate::{
    context::Context,
    model::{
        ids::{AttemptRef, Lsn},
        incident::{Happened, Incident},
        invocation::{AttemptFailure, StatusKind},
    },
    size,
    tables::incident::INCIDENTS_MAX,
};

/// How much of a message is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 10;
/// How much of a stack trace is kept, in bytes: its first frames say where it happened.
const STACKTRACE_BYTES_MAX: usize = 4 << 10;

/// Its running attempt has failed.
pub(crate) fn attempt_failed(
    cx: &mut Context<'_, '_>,
    attempt: AttemptRef,
    deployment: Option<DeploymentId>,
    failure: &AttemptFailure,
) {
    let Some(invocation) = running(cx.tables, attempt) else { return };
    // It has been running since its status last changed.
    let started_at = invocation.modified_at;
    let deployment = deployment.or_else(|| invocation.pin.map(|pin| pin.deployment));
    let failure = cut(failure);
    let what = Happened::AttemptFailed { started_at, deployment, failure };
    keep(cx, attempt.invocation, what);
}

/// Keeps an incident; the oldest one makes room for it. They go with the journal, which must still
/// be there.
pub(super) fn keep(cx: &mut Context<'_, '_>, lsn: Lsn, what: Happened) {
    let (record, at) = (cx.lsn, cx.at);
    let invocation = super::expect(cx.tables, lsn);
    let (number, journal_len) = (invocation.incidents, invocation.journal_len);
    assert!(journal_len > 0, "{record:?}: {what:?} happens to {lsn:?}, which has no journal");
    let has_ended = invocation.status.kind() == StatusKind::Completed;
    let incident = Incident { at, journal_len, what };
    let added = size::of_incident(&incident);
    invocation.incidents += 1;
    invocation.incident_bytes += added;
    cx.tables.put_incident(lsn, number, incident);
    let oldest = number.checked_sub(INCIDENTS_MAX);
    let removed = oldest.map(|oldest| size::of_incident(&cx.tables.take_incident(lsn, oldest)));
    let removed = removed.unwrap_or(0);
    super::expect(cx.tables, lsn).incident_bytes -= removed;
    if has_ended {
        // What has ended is counted with its incidents.
        let meta = cx.tables.meta_mut();
        meta.retained_bytes = meta.retained_bytes + added - removed;
    }
}

fn cut(failure: &AttemptFailure) -> AttemptFailure {
    let cut = |text: &str, bytes_max| text[..text.floor_char_boundary(bytes_max)].to_owned();
    AttemptFailure {
        code: failure.code,
        error_code: failure.error_code.clone(),
        message: cut(&failure.message, MESSAGE_BYTES_MAX),
        stacktrace: cut(&failure.stacktrace, STACKTRACE_BYTES_MAX),
        related_command: failure.related_command.clone(),
    }
}
