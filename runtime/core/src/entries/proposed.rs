//! The SDK makes progress: it issues the next command, or reports the result of a side effect.

use bytes::Bytes;
use protocol::{
    TerminalFailure,
    journal::{CompletionId, NotificationId, NotificationKind},
};

use crate::{
    context::Context,
    event::ProposedCommand,
    invocation::{append, got_further, notify::notify, running},
    model::{ids::AttemptRef, invocation::Callee},
    time::Timestamp,
};

pub(crate) fn command(
    cx: &mut Context<'_, '_>,
    attempt: AttemptRef,
    command: &ProposedCommand,
    callee: Option<&Callee>,
    due: Option<Timestamp>,
) {
    let Some(invocation) = running(cx.tables, attempt) else { return };
    if invocation.output.is_some() {
        return; // Nothing may follow the output; the Attempt reports it as a protocol violation.
    }
    invocation.commands += 1;
    invocation.retry_count = 0;
    invocation.last_failure = None;
    got_further(invocation);
    append::entry(cx, attempt.invocation, command.entry().clone());
    super::apply(cx, attempt.invocation, command.command(), callee, due);
}

/// A side effect has completed.
pub(crate) fn run_result(
    cx: &mut Context<'_, '_>,
    attempt: AttemptRef,
    completion: CompletionId,
    result: &Result<Bytes, TerminalFailure>,
) {
    let Some(invocation) = running(cx.tables, attempt) else { return };
    got_further(invocation);
    let id = NotificationId::Completion(completion);
    notify(cx, attempt.invocation, NotificationKind::Run, id, result.clone().into());
}
