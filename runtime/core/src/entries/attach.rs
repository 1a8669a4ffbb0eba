//! `AttachInvocation` and `GetInvocationOutput`: another invocation's result, awaited or looked at.

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
    // The Attempt has refused ids that cannot be read.
    let Some(target) = admission::named(cx.partition.derivation, target) else { return };
    let from = CallRef { id, invocation: lsn, completion, kind };
    let wait = kind == NotificationKind::AttachInvocation;
    outbox::send(cx, Message::Attach { from, target, wait });
}
