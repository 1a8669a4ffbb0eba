//! Completions of commands: recorded as pending, or answered in the same record as the command.

use protocol::journal::{CompletionId, NotificationId, NotificationKind, NotificationResult};

use crate::{
    context::Context,
    invocation::{self, notify::notify},
    model::ids::Lsn,
    tables::completion::CompletionState,
    time::Timestamp,
};

/// Records that a completion is pending.
pub(super) fn expect_completion(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    completion: CompletionId,
    kind: NotificationKind,
    timer: Option<Timestamp>,
) {
    if let Some(at) = timer {
        assert!(
            kind == NotificationKind::Sleep,
            "{:?}: a {kind:?} completion has a timer at {at:?}",
            cx.lsn
        );
    }
    invocation::expect(cx.tables, lsn).has_notifications = true;
    cx.tables.put_completion(lsn, completion, CompletionState::Pending { kind, timer });
}

/// Completes a command in the same record.
pub(super) fn answer_at_once(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    completion: CompletionId,
    kind: NotificationKind,
    result: NotificationResult,
) {
    expect_completion(cx, lsn, completion, kind, None);
    notify(cx, lsn, kind, NotificationId::Completion(completion), result);
}
