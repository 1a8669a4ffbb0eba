//! A signal or an awakeable's completion. It is kept in the journal also before the first attempt.

use protocol::{
    InvocationId,
    journal::{
        NotificationId, NotificationKind, NotificationResult,
        notification::{CANCEL_SIGNAL, FIRST_AWAKEABLE_SIGNAL, SignalId},
    },
};

use super::{cancel, notify::notify};
use crate::{
    Lsn,
    context::Context,
    effect::{Answer, Control, Effect, SignalAnswer},
    event::{RequestId, Rules},
    tables::invocation::Status,
};

/// Signals that one journal takes. Whoever knows an id can send any number, and each attempt replays
/// them all; one that fans out over more awakeables than this is better cut into several invocations.
const SIGNALS_MAX: u32 = 1 << 16;

/// Bytes of signals that one journal takes: four messages of the largest size.
const SIGNAL_BYTES_MAX: u64 = 128 << 20;

/// Cancellations that a journal takes when it is full of other signals.
const CANCELS_RESERVED: u32 = 1 << 10;

/// Somebody outside asks, and hears what became of it.
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

/// Somebody outside, or another invocation. The latter hears nothing: one that is too late or too much
/// is dropped, as one for an unknown invocation is.
pub(crate) fn apply(
    cx: &mut Context<'_, '_>,
    to: InvocationId,
    signal: &SignalId,
    result: &NotificationResult,
) -> SignalAnswer {
    if *signal == SignalId::Index(CANCEL_SIGNAL) {
        return match cancel::apply(cx, to) {
            Control::Ended | Control::Signalled => SignalAnswer::Stored,
            Control::NotFound => SignalAnswer::NotFound,
            Control::AlreadyCompleted => SignalAnswer::AlreadyCompleted,
        };
    }
    let Some(lsn) = cx.tables.invocation_lsn(to) else { return SignalAnswer::NotFound };
    if matches!(super::expect(cx.tables, lsn).status, Status::Completed { .. }) {
        return SignalAnswer::AlreadyCompleted;
    }
    if cx.follows(Rules::V2) {
        // An awakeable is completed once; a named signal is a stream.
        let is_awakeable =
            matches!(signal, SignalId::Index(index) if *index >= FIRST_AWAKEABLE_SIGNAL);
        if is_awakeable && cx.tables.deliveries(lsn, signal).is_some() {
            return SignalAnswer::AlreadyCompleted;
        }
        if !has_room(cx, lsn, bytes_of(signal, result), SIGNALS_MAX) {
            let (entries_max, bytes_max) = (SIGNALS_MAX, SIGNAL_BYTES_MAX);
            return SignalAnswer::JournalFull { entries_max, bytes_max };
        }
    }
    let id = NotificationId::Signal(signal.clone());
    notify(cx, lsn, NotificationKind::Signal, id, result.clone());
    SignalAnswer::Stored
}

/// Whether one more cancellation is taken.
pub(super) fn has_room_for_cancel(cx: &mut Context<'_, '_>, lsn: Lsn) -> bool {
    !cx.follows(Rules::V2) || has_room(cx, lsn, 0, SIGNALS_MAX + CANCELS_RESERVED)
}

/// Takes room for a signal in the journal, if there is some.
fn has_room(cx: &mut Context<'_, '_>, lsn: Lsn, bytes: u64, entries_max: u32) -> bool {
    let mut used = cx.tables.signal_use(lsn);
    let has_room = used.entries < entries_max && used.bytes + bytes <= SIGNAL_BYTES_MAX;
    if has_room {
        used.entries += 1;
        used.bytes += bytes;
        cx.tables.put_signal_use(lsn, used);
    }
    has_room
}

fn bytes_of(signal: &SignalId, result: &NotificationResult) -> u64 {
    let name = match signal {
        SignalId::Index(_) => 0,
        SignalId::Name(name) => name.len(),
    };
    let payload = match result {
        NotificationResult::Void => 0,
        NotificationResult::Value(value) => value.len(),
        NotificationResult::Failure(failure) => {
            let metadata = failure.metadata.iter();
            let pairs: usize = metadata.map(|(key, value)| key.len() + value.len()).sum();
            failure.message.len() + pairs
        }
        NotificationResult::InvocationId(id) => id.len(),
        NotificationResult::StateKeys(keys) => keys.iter().map(|key| key.len()).sum(),
    };
    (name + payload) as u64
}
