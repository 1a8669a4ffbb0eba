//! Durable promises of a workflow: wait for one, peek at it, complete it once.

use bytes::Bytes;
use protocol::{
    HandlerKind, Target, TerminalFailure,
    journal::{CompletionId, NotificationId, NotificationKind, NotificationResult},
};

use super::answer::{answer_at_once, expect_completion};
use crate::{
    context::Context,
    event::Rules,
    invocation::{self, notify::notify, purge, target},
    model::{ids::Lsn, invocation::CallRef},
    shared_result,
    tables::{expiry::PromiseName, promise::Promise},
};

pub(crate) fn get(cx: &mut Context<'_, '_>, lsn: Lsn, name: &str, completion: CompletionId) {
    let Target { service, key, .. } = target(cx, lsn);
    match cx.tables.promise_mut(&service, &key, name) {
        Some(Promise::Completed(result)) => {
            let result = result.clone().into();
            answer_at_once(cx, lsn, completion, NotificationKind::GetPromise, result);
            return;
        }
        Some(Promise::Pending(waiting)) => waiting.push((lsn, completion)),
        None => make(cx, lsn, name, Promise::Pending(vec![(lsn, completion)])),
    }
    expect_completion(cx, lsn, completion, NotificationKind::GetPromise, None);
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
        Some(Promise::Pending(waiting)) => {
            cx.tables.put_promise(&service, &key, name, Promise::Completed(result.clone()));
            waiting
        }
        None => {
            make(cx, lsn, name, Promise::Completed(result.clone()));
            Vec::new()
        }
    };
    let done = NotificationResult::Void;
    answer_at_once(cx, lsn, completion, NotificationKind::CompletePromise, done);
    // All invocations of a workflow key live on the same partition, and one that has ended is not
    // notified.
    if !cx.follows(Rules::V5) {
        for (waiter, completion) in waiting {
            let id = NotificationId::Completion(completion);
            notify(cx, waiter, NotificationKind::GetPromise, id, result.clone().into());
        }
        return;
    }
    let waiters = waiting.into_iter().filter_map(|(invocation, completion)| {
        let id = cx.tables.invocation(invocation)?.id;
        Some(CallRef { id, invocation, completion, kind: NotificationKind::GetPromise })
    });
    let waiters: Vec<CallRef> = waiters.collect();
    shared_result::pass_on_promise(cx, waiters, result.clone().into());
}

/// Creates a promise. The run removes its workflow's promises when it is removed itself; a promise
/// that another handler creates expires if the run never comes.
fn make(cx: &mut Context<'_, '_>, lsn: Lsn, name: &str, promise: Promise) {
    let kind = invocation::expect(cx.tables, lsn).handler_kind;
    let Target { service: workflow, key, .. } = target(cx, lsn);
    cx.tables.put_promise(&workflow, &key, name, promise);
    if kind != HandlerKind::Workflow && cx.follows(Rules::V2) {
        purge::schedule_promise(cx, PromiseName { workflow, key, name: name.to_owned() });
    }
}
