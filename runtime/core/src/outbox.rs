//! Messages to partitions: to others as outbox rows, to this one at the end of the record
//! (`partition_messages.rs`).

use protocol::journal::{Notification, NotificationId, NotificationResult};

use crate::{
    context::Context,
    effect::Effect,
    model::{ids::Partition, invocation::CallRef, message::Message},
    tables::{meta::sequence_mut, outbox::Outgoing},
};

/// Sends `message` to the partition that owns its target invocation.
pub(crate) fn send(cx: &mut Context<'_, '_>, message: Message) {
    let to = Partition::owner(cx.partition.count, message.to().partition_key);
    if to == cx.partition.id {
        cx.local.push_back(message);
        return;
    }
    let sequence = sequence_mut(&mut cx.tables.meta_mut().sent, to);
    *sequence += 1;
    let (sequence, stamp) = (*sequence, cx.stamp);
    assert!(to.0 < cx.partition.count, "{:?}: a message to {to:?}, which does not exist", cx.lsn);
    cx.tables.push_outgoing(to, sequence, Outgoing { stamp, message: message.clone() });
    cx.emit(Effect::Send { to, sequence, stamp, message });
}

/// Sends the answer of a call, an attach or an output query to the invocation that waits for it.
pub(crate) fn answer(cx: &mut Context<'_, '_>, to: CallRef, result: NotificationResult) {
    let id = NotificationId::Completion(to.completion);
    let notification = Notification { kind: to.kind, id, result };
    let message = Message::Notify { to: to.id, invocation: to.invocation, notification };
    send(cx, message);
}
