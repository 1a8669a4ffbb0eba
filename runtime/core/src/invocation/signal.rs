//! Signals and completions of awakeables. They go into the journal even before the first attempt.

use protocol::{
    InvocationId,
    journal::{
        NotificationId, NotificationKind, NotificationResult,
        notification::{CANCEL_SIGNAL, FIRST_AWAKEABLE_SIGNAL, SignalId},
    },
};

use super::{
    cancel,
    notify::notify,
    signal_room::{self, SIGNAL_BYTES_MAX, SIGNALS_MAX},
};
use crate::{
    context::Context,
    effect::{Answer, Effect, SignalAnswer},
    event::Rules,
    model::{ids::RequestId, invocation::Status, operation::Outcome},
};

/// A request from outside, which is answered with the outcome.
pub(crate) fn requested(
    cx: &mut Context<'_, '_>,
    request: RequestId,
    target: InvocationId,
    signal: &SignalId,
    result: &NotificationResult,
) {
    let answer = apply(cx, target, signal, result);
    cx.emit(Effect::Answer { request, answer: Answer::Signalled(answer) });
}

/// A signal from outside or from another invocation. The latter gets no answer: a signal that
/// arrives too late, exceeds the limits, or targets an unknown invocation is dropped.
pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    to: InvocationId,
    signal: &SignalId,
    result: &NotificationResult,
) -> SignalAnswer {
    if *signal == SignalId::Index(CANCEL_SIGNAL) {
        return match cancel::apply(cx, to) {
            Outcome::Done | Outcome::Requested => SignalAnswer::Stored,
            Outcome::NotFound => SignalAnswer::NotFound,
            Outcome::Refused(_)
            | Outcome::NotPinned
            | Outcome::Restarted(_)
            | Outcome::NotRestartable(_) => SignalAnswer::AlreadyCompleted,
        };
    }
    let Some(lsn) = cx.tables.invocation_lsn(to) else { return SignalAnswer::NotFound };
    if matches!(super::expect(cx.tables, lsn).status, Status::Completed { .. }) {
        return SignalAnswer::AlreadyCompleted;
    }
    if cx.follows(Rules::V2) {
        // An awakeable is completed once; a named signal can be sent many times.
        let is_awakeable =
            matches!(signal, SignalId::Index(index) if *index >= FIRST_AWAKEABLE_SIGNAL);
        if is_awakeable && cx.tables.deliveries(lsn, signal).is_some() {
            return SignalAnswer::AlreadyCompleted;
        }
        if !signal_room::take(cx, lsn, signal, result) {
            let (entries_max, bytes_max) = (SIGNALS_MAX, SIGNAL_BYTES_MAX);
            return SignalAnswer::JournalFull { entries_max, bytes_max };
        }
    }
    let id = NotificationId::Signal(signal.clone());
    notify(cx, lsn, NotificationKind::Signal, id, result.clone());
    SignalAnswer::Stored
}
