//! What operators read: names of entries, and failures.

use crate::{TerminalFailure, journal::NotificationKind, wire::MessageType};

#[test]
fn entries_have_short_names() {
    for (ty, name) in [
        (MessageType::CALL_COMMAND, "Call"),
        (MessageType::CALL_COMPLETION, "Call"),
        (MessageType::CALL_INVOCATION_ID_COMPLETION, "CallInvocationId"),
        (MessageType::SIGNAL_NOTIFICATION, "Signal"),
        // Not an entry, and not the same as a completion.
        (MessageType::PROPOSE_RUN_COMPLETION, "ProposeRunCompletion"),
        (MessageType(0x7FFF), "Unknown"),
    ] {
        assert_eq!(ty.short_name(), name, "{ty:?}");
    }
    assert_eq!(NotificationKind::GetLazyStateKeys.name(), "GetLazyStateKeys");
    assert_eq!(NotificationKind::Signal.name(), "Signal");
}

#[test]
fn failures_are_shown_with_their_codes() {
    assert_eq!(TerminalFailure::new(409, "sold out").to_string(), "[409] sold out");
}
