//! A signal or an awakeable's completion. It is kept in the journal also before the first attempt.

use protocol::{
    InvocationId,
    journal::{
        NotificationId, NotificationKind, NotificationResult,
        notification::{CANCEL_SIGNAL, SignalId},
    },
};

use super::{cancel, notify::notify};
use crate::context::Context;

pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    to: InvocationId,
    signal: &SignalId,
    result: &NotificationResult,
) {
    if *signal == SignalId::Index(CANCEL_SIGNAL) {
        cancel::apply(cx, to);
        return;
    }
    // A signal for an invocation that is unknown or has ended goes nowhere, as upstream.
    let Some(lsn) = cx.tables.invocation_lsn(to) else { return };
    let id = NotificationId::Signal(signal.clone());
    notify(cx, lsn, NotificationKind::Signal, id, result.clone());
}
