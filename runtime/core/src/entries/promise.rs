//! Durable promises of a workflow: wait for one, look at it, complete it once.

use bytes::Bytes;
use protocol::{
    Target, TerminalFailure,
    journal::{CompletionId, NotificationId, NotificationKind, NotificationResult},
};

use super::{answer_at_once, expect_completion};
use crate::{
    Lsn, context::Context, invocation, invocation::notify::notify, tables::promise::Promise,
};

pub(crate) fn get(cx: &mut Context<'_, '_>, lsn: Lsn, name: &str, completion: CompletionId) {
    let Target { service, key, .. } = target(cx, lsn);
    let mut waiting = match cx.tables.promise(&service, &key, name) {
        Some(Promise::Completed(result)) => {
            answer_at_once(cx, lsn, completion, NotificationKind::GetPromise, result.into());
            return;
        }
        Some(Promise::Pending(waiting)) => waiting,
        None => Vec::new(),
    };
    expect_completion(cx, lsn, completion, NotificationKind::GetPromise, None);
    waiting.push((lsn, completion));
    cx.tables.put_promise(&service, &key, name, Promise::Pending(waiting));
}

pub(crate) fn peek(cx: &mut Context<'_, '_>, lsn: Lsn, name: &str, completion: CompletionId) {
    let Target { service, key, .. } = target(cx, lsn);
    let result = match cx.tables.promise(&service, &key, name) {
        Some(Promise::Completed(result)) => result.into(),
        Some(Promise::Pending(_)) | None => NotificationResult::Void,
    };
    answer_at_once(cx, lsn, completion, NotificationKind::PeekPromise, result);
}

pub(crate) fn complete(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    name: &str,
    result: &Result<Bytes, TerminalFailure>,
    completion: CompletionId,
) {
    let Target { service, key, .. } = target(cx, lsn);
    let waiting = match cx.tables.promise(&service, &key, name) {
        Some(Promise::Completed(_)) => {
            let refusal = NotificationResult::Failure(TerminalFailure::promise_already_completed());
            answer_at_once(cx, lsn, completion, NotificationKind::CompletePromise, refusal);
            return;
        }
        Some(Promise::Pending(waiting)) => waiting,
        None => Vec::new(),
    };
    cx.tables.put_promise(&service, &key, name, Promise::Completed(result.clone()));
    let done = NotificationResult::Void;
    answer_at_once(cx, lsn, completion, NotificationKind::CompletePromise, done);
    // All handlers of a workflow key live on its partition, and an ended one is not notified.
    for (waiter, completion) in waiting {
        let id = NotificationId::Completion(completion);
        notify(cx, waiter, NotificationKind::GetPromise, id, result.clone().into());
    }
}

fn target(cx: &mut Context<'_, '_>, lsn: Lsn) -> Target {
    invocation::expect(cx.tables, lsn).target.clone()
}
