//! `AttachInvocation` and `GetInvocationOutput`: another invocation's result, awaited or looked at.

use protocol::{
    InvocationId,
    ids::Derivation,
    journal::{CompletionId, InvocationTarget, NotificationKind},
};

use super::expect_completion;
use crate::{
    Lsn,
    context::Context,
    event::{CallRef, Message},
    invocation, outbox,
};

pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    target: &InvocationTarget,
    completion: CompletionId,
    kind: NotificationKind,
) {
    let id = invocation::expect(cx.tables, lsn).id;
    expect_completion(cx, lsn, completion, kind, None);
    // The Attempt has refused ids that cannot be read.
    let Some(target) = resolve(cx.partition.derivation, target) else { return };
    let from = CallRef { id, invocation: lsn, completion, kind };
    let wait = kind == NotificationKind::AttachInvocation;
    outbox::send(cx, target.partition_key, Message::Attach { from, target, wait });
}

/// The id that a target stands for: idempotent and workflow invocations have derived ones.
pub(crate) fn resolve(derivation: Derivation, target: &InvocationTarget) -> Option<InvocationId> {
    match target {
        InvocationTarget::Id(id) => id.parse().ok(),
        InvocationTarget::Idempotent { service, key, handler, idempotency_key, scope } => Some(
            derivation.idempotency_key(scope.as_deref(), service, key, handler, idempotency_key),
        ),
        InvocationTarget::Workflow { name, key, scope } => {
            Some(derivation.workflow(scope.as_deref(), name, key))
        }
    }
}
