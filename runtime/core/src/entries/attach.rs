//! `AttachInvocation` and `GetInvocationOutput`: wait for another invocation's result, or query it.

use protocol::journal::{CompletionId, InvocationTarget, NotificationKind};

use super::answer::expect_completion;
use crate::{
    admission,
    context::Context,
    invocation,
    model::{ids::Lsn, invocation::CallRef, message::Message},
    outbox,
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
    // The Attempt rejects ids that cannot be parsed.
    let Some(target) = admission::named(cx.partition.derivation, target) else { return };
    let from = CallRef { id, invocation: lsn, completion, kind };
    let wait = kind == NotificationKind::AttachInvocation;
    outbox::send(cx, Message::Attach { from, target, wait });
}
