//! Messages of partitions: at least once on the way, exactly once in effect.
//!
//! A message to another partition is a row (`outbox.rs`) until the receiver has acknowledged it; the receiver
//! remembers the last sequence number of each sender. Messages of one sender to one receiver stay in
//! order, whatever is lost and sent again. A message to this very partition is applied within the same record.

use crate::{
    context::Context,
    effect::Effect,
    invocation,
    model::{ids::PartitionId, message::Message},
    tables::meta::sequence_mut,
};

/// Applies the messages that this record sent to its own partition, and those that they send.
pub(crate) fn deliver_local(cx: &mut Context<'_, '_>) {
    while let Some(message) = cx.local.pop_front() {
        deliver(cx, &message);
    }
}

/// A message of another partition: the next one, or one that was handed over again. What comes ahead of
/// one that was lost on the way does not count: the acknowledgement says which the sender is to go on with.
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

/// The receiver has everything up to `sequence` on disk.
pub(crate) fn acknowledged(cx: &mut Context<'_, '_>, by: PartitionId, sequence: u64) {
    let sent = *sequence_mut(&mut cx.tables.meta_mut().sent, by);
    let lsn = cx.lsn;
    assert!(sequence <= sent, "{lsn:?}: {by:?} has message {sequence}, but {sent} were sent to it");
    cx.tables.delete_outgoing(by, sequence);
}

fn deliver(cx: &mut Context<'_, '_>, message: &Message) {
    let to = message.to();
    assert!(cx.owns(to), "{:?}: a message for {to}, which another partition has", cx.lsn);
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
