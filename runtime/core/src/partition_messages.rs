//! Messages between partitions: delivered at least once, applied exactly once.
//!
//! A message to another partition is a row (`outbox.rs`) until the receiver acknowledges it; the
//! receiver remembers the last sequence number of each sender. Messages from one sender to one
//! receiver stay in order, even when some are lost and resent. A message to this partition itself
//! is applied within the same record.

use crate::{
    context::Context,
    effect::Effect,
    invocation,
    model::{ids::PartitionId, message::Message},
    tables::meta::sequence_mut,
};

/// Applies the messages that this record sent to its own partition, and any messages these send in
/// turn.
pub(crate) fn deliver_local(cx: &mut Context<'_, '_>) {
    while let Some(message) = cx.local.pop_front() {
        deliver(cx, &message);
    }
}

/// A message from another partition: either the next one or a redelivery. A message that arrives
/// ahead of a lost one is ignored: the acknowledgement tells the sender where to resume.
pub(crate) fn received(
    cx: &mut Context<'_, '_>,
    from: PartitionId,
    sequence: u64,
    message: &Message,
) {
    let own = cx.partition.id;
    assert!(from != own, "{:?}: {own:?} has sent itself message {sequence}", cx.lsn);
    let last = sequence_mut(&mut cx.tables.meta_mut().received, from);
    let is_next = sequence == *last + 1;
    if is_next {
        *last = sequence;
    }
    let sequence = *last;
    if is_next {
        deliver(cx, message);
    }
    cx.emit(Effect::Acknowledge { to: from, sequence });
}

/// The receiver has made everything up to `sequence` durable.
pub(crate) fn acknowledged(cx: &mut Context<'_, '_>, by: PartitionId, sequence: u64) {
    let sent = *sequence_mut(&mut cx.tables.meta_mut().sent, by);
    let lsn = cx.lsn;
    assert!(sequence <= sent, "{lsn:?}: {by:?} has message {sequence}, but {sent} were sent to it");
    cx.tables.delete_outgoing(by, sequence);
}

fn deliver(cx: &mut Context<'_, '_>, message: &Message) {
    let to = message.to();
    assert!(cx.owns(to), "{:?}: a message for {to}, which another partition owns", cx.lsn);
    match message {
        Message::Invoke(invoke) => invocation::invoke::apply(cx, invoke),
        Message::Notify { to, invocation, notification } => {
            invocation::notify::delivered(cx, *to, *invocation, notification.clone());
        }
        Message::Signal { to, signal, result } => {
            invocation::signal::apply(cx, *to, signal, result);
        }
        Message::Attach { from, target, wait } => {
            invocation::attach::apply(cx, *from, *target, *wait);
        }
        Message::Kill { target } => invocation::kill::apply(cx, *target),
        Message::KillCallee { target, caller, invocation } => {
            invocation::kill::callee(cx, *target, *caller, *invocation);
        }
        Message::Detach { from, target } => invocation::attach::detach(cx, *from, *target),
    }
}
