//! Something happened to an invocation that its journal does not show.

use protocol::DeploymentId;

use super::running;
use crate::{
    context::Context,
    model::{
        ids::{AttemptRef, Lsn},
        incident::{Happened, Incident},
        invocation::AttemptFailure,
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

/// Keeps an incident; the oldest one makes room for it.
pub(super) fn keep(cx: &mut Context<'_, '_>, lsn: Lsn, what: Happened) {
    let at = cx.at;
    let invocation = super::expect(cx.tables, lsn);
    let number = invocation.incidents;
    let incident = Incident { at, journal_len: invocation.journal_len, what };
    invocation.incidents += 1;
    invocation.incident_bytes += size::of_incident(&incident);
    cx.tables.put_incident(lsn, number, incident);
    if let Some(oldest) = number.checked_sub(INCIDENTS_MAX) {
        let bytes = size::of_incident(&cx.tables.take_incident(lsn, oldest));
        super::expect(cx.tables, lsn).incident_bytes -= bytes;
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
