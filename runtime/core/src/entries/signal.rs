//! `SendSignal`: send a signal to another invocation; signal 1 cancels it.

use protocol::{
    InvocationId,
    journal::{NotificationResult, notification::SignalId},
};

use crate::{context::Context, model::message::Message, outbox};

pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    target: &str,
    signal: &SignalId,
    result: &NotificationResult,
) {
    // The Attempt rejects ids that cannot be parsed.
    let Ok(to) = target.parse::<InvocationId>() else { return };
    let message = Message::Signal { to, signal: signal.clone(), result: result.clone() };
    outbox::send(cx, message);
}
