//! The SDK goes on: the next command, or the result of a side effect.

use bytes::Bytes;
use protocol::{
    TerminalFailure,
    journal::{CompletionId, Entry, NotificationId, NotificationKind},
};

use super::{got_further, notify::notify, running};
use crate::{
    Lsn,
    context::Context,
    effect::Effect,
    entries,
    event::{AttemptRef, Callee, ProposedCommand},
    tables::{invocation::Status, journal::JournalEntry},
    time::Timestamp,
};

pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    attempt: AttemptRef,
    command: &ProposedCommand,
    callee: Option<&Callee>,
    due: Option<Timestamp>,
) {
    let Some(invocation) = running(cx.tables, attempt) else { return };
    if invocation.output.is_some() {
        return; // Nothing follows the output; the Attempt reports it as a protocol violation.
    }
    invocation.commands += 1;
    invocation.retry_count = 0;
    invocation.last_failure = None;
    got_further(invocation);
    append(cx, attempt.invocation, command.entry().clone());
    entries::apply(cx, attempt.invocation, command.command(), callee, due);
}

/// A side effect has its result.
pub(crate) fn run_proposed(
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

/// Appends a notification and shows it to the attempt, if there is one.
pub(crate) fn append_notification(cx: &mut Context<'_, '_>, lsn: Lsn, entry: Entry) {
    let index = append(cx, lsn, entry.clone());
    if let Status::Running { attempt } = super::expect(cx.tables, lsn).status {
        let attempt = AttemptRef { invocation: lsn, attempt };
        cx.emit(Effect::SendNotification { attempt, index, entry });
    }
}

fn append(cx: &mut Context<'_, '_>, lsn: Lsn, entry: Entry) -> u32 {
    let at = cx.at;
    let invocation = super::expect(cx.tables, lsn);
    let index = invocation.journal_len;
    invocation.journal_len += 1;
    invocation.journal_bytes += entry.body.len() as u64;
    invocation.last_entry_at = at;
    cx.tables.append_journal(lsn, index, JournalEntry { at, entry });
    index
}
