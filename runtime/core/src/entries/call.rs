//! `Call`: invoke another handler and wait for its answer.

use protocol::journal::{CallRequest, CompletionId, NotificationKind, NotificationResult};

use super::answer::{answer_at_once, expect_completion};
use crate::{
    admission,
    context::Context,
    invocation,
    model::{
        ids::Lsn,
        invocation::{CallRef, Callee, Source},
        message::Message,
    },
    outbox,
    time::Timestamp,
};

pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    request: &CallRequest,
    (id_completion, result_completion): (CompletionId, CompletionId),
    callee: Option<&Callee>,
) {
    let caller = invocation::expect(cx.tables, lsn);
    let (id, caller_target) = (caller.id, caller.target.clone());
    let caller = CallRef {
        id,
        invocation: lsn,
        completion: result_completion,
        kind: NotificationKind::Call,
    };
    expect_completion(cx, lsn, result_completion, NotificationKind::Call, None);
    start(cx, lsn, request, id_completion, callee, Source::Call { caller, caller_target }, None);
}

/// Completes the caller's request for the callee's id, and sends the invocation to the callee's
/// partition.
pub(super) fn start(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    request: &CallRequest,
    id_completion: CompletionId,
    callee: Option<&Callee>,
    source: Source,
    start_at: Option<Timestamp>,
) {
    let Some(callee) = callee else {
        panic!("{:?}: a call was proposed without its callee", cx.lsn)
    };
    let result = NotificationResult::InvocationId(callee.id.to_string());
    answer_at_once(cx, lsn, id_completion, NotificationKind::CallInvocationId, result);
    let invoke = admission::call(request, callee, source, start_at);
    outbox::send(cx, Message::Invoke(Box::new(invoke)));
}
