//! A notification becomes available: store it, send it to the attempt, or wake the invocation.

use protocol::{
    InvocationId, ProtocolVersion,
    journal::{Notification, NotificationId, NotificationKind, NotificationResult},
    wire,
};

use super::{append, start_attempt};
use crate::{
    context::Context,
    event::Rules,
    model::{ids::Lsn, invocation::Status},
    tables::completion::{CompletionState, Delivery},
};

/// Another partition, or this one, answers a call, an attach or an output query.
pub(crate) fn delivered(
    cx: &mut Context<'_, '_>,
    to: InvocationId,
    lsn: Lsn,
    notification: Notification,
) {
    // The LSN may belong to an earlier invocation with the same derived id that no longer exists.
    let is_ours = cx.tables.invocation_mut(lsn).is_some_and(|invocation| invocation.id == to);
    if is_ours {
        notify(cx, lsn, notification.kind, notification.id, notification.result);
    }
}

/// Stores a notification, once, and resumes the invocation if it was waiting for it.
pub(crate) fn notify(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    kind: NotificationKind,
    id: NotificationId,
    result: NotificationResult,
) {
    let Some(invocation) = cx.tables.invocation_mut(lsn) else { return };
    if matches!(invocation.status, Status::Completed { .. }) {
        return;
    }
    // Until an attempt has chosen a version, use the newest encoding, which can express everything.
    let version = invocation.pin.map_or(ProtocolVersion::MAX, |pin| pin.protocol);
    let index = invocation.journal_len;
    let delivery = Delivery { index, failed: matches!(result, NotificationResult::Failure(_)) };
    invocation.has_notifications = true;
    match &id {
        NotificationId::Completion(completion) => {
            match cx.tables.completion(lsn, *completion) {
                // An answer of a different kind does not belong to this command.
                Some(CompletionState::Pending { kind: expected, .. })
                    if expected != kind && cx.follows(Rules::V2) =>
                {
                    return;
                }
                Some(CompletionState::Pending { .. }) => (),
                // Already answered, in which case the first answer stands, or never requested.
                Some(CompletionState::Done(_)) | None => return,
            }
            cx.tables.put_completion(lsn, *completion, CompletionState::Done(delivery));
        }
        NotificationId::Signal(signal) if cx.follows(Rules::V2) => {
            cx.tables.add_delivery(lsn, signal, delivery);
        }
        NotificationId::Signal(signal) => cx.tables.put_delivery(lsn, signal, delivery),
    }
    let notification = Notification { kind, id, result };
    let entry = wire::notification::encode(&notification, version);
    let stored = append::notification(cx, lsn, entry);
    assert!(stored == index, "{:?}: entry {stored} of {lsn:?} is recorded as {index}", cx.lsn);
    // A suspended invocation resumes if this is what it was waiting for.
    let is_resolved = if cx.follows(Rules::V2) {
        cx.tables.is_resolved_by(lsn, &notification.id)
    } else {
        cx.tables.is_resolved_anew(lsn)
    };
    if is_resolved {
        start_attempt(cx, lsn);
    }
}
