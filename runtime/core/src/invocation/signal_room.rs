//! Limits on the number and size of the signals in a journal.

use protocol::journal::{NotificationResult, notification::SignalId};

use crate::{context::Context, event::Rules, model::ids::Lsn};

/// The maximum number of signals in one journal. Anyone who knows an invocation id can send any
/// number of them, and each attempt replays them all; an invocation that fans out over more
/// awakeables than this should be split.
pub(super) const SIGNALS_MAX: u32 = 1 << 16;

/// The maximum size of the signals in one journal, in bytes: four messages of maximum size.
pub(super) const SIGNAL_BYTES_MAX: u64 = 128 << 20;

/// The number of cancellations that still fit once a journal is full of other signals.
const CANCELS_RESERVED: u32 = 1 << 10;

/// Reserves capacity for one more cancellation; returns false if there is none left.
pub(super) fn take_for_cancel(cx: &mut Context<'_, '_>, lsn: Lsn) -> bool {
    !cx.follows(Rules::V2) || take_of(cx, lsn, 0, SIGNALS_MAX + CANCELS_RESERVED)
}

/// Reserves capacity for a signal; returns false if it would exceed the limits.
pub(super) fn take(
    cx: &mut Context<'_, '_>,
    lsn: Lsn,
    signal: &SignalId,
    result: &NotificationResult,
) -> bool {
    take_of(cx, lsn, bytes_of(signal, result), SIGNALS_MAX)
}

fn take_of(cx: &mut Context<'_, '_>, lsn: Lsn, bytes: u64, entries_max: u32) -> bool {
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
