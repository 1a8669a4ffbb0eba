//! `Call`: invoke another handler and wait for its answer.

use protocol::{
    Target,
    journal::{
        CallRequest, Command, CompletionId, NamedCommand, NotificationKind, NotificationResult,
    },
    wire,
};

use super::{answer_at_once, expect_completion};
use crate::{
    Lsn,
    context::Context,
    event::{CallRef, Callee, Invoke, Message, Source},
    invocation, outbox,
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

/// Tells the caller the callee's id, and the callee's partition to run it.
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
        panic!("{:?}: the Attempt proposes a call only with its callee", cx.lsn)
    };
    let result = NotificationResult::InvocationId(callee.id.to_string());
    answer_at_once(cx, lsn, id_completion, NotificationKind::CallInvocationId, result);
    // Input has the same form in all versions.
    let version = protocol::ProtocolVersion::MAX;
    let input = NamedCommand::from(Command::Input {
        headers: request.headers.clone(),
        value: request.parameter.clone(),
    });
    let invoke = Invoke {
        id: callee.id,
        target: Target::new(&request.service, &request.key, &request.handler),
        service_kind: callee.service_kind,
        handler_kind: callee.handler_kind,
        source,
        input: wire::command::encode(&input, version),
        start_at,
        idempotency_key: request.idempotency_key.clone(),
        scope: request.scope.clone(),
        limit_key: request.limit_key.clone(),
        retention: callee.retention,
        random_seed: callee.random_seed,
    };
    outbox::send(cx, callee.id.partition_key, Message::Invoke(Box::new(invoke)));
}
