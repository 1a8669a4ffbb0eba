//! `CompleteAwakeable`: an awakeable is a numbered signal of the invocation that created it.

use bytes::Bytes;
use protocol::{AwakeableId, TerminalFailure, journal::notification::SignalId};

use crate::{context::Context, model::message::Message, outbox};

pub(crate) fn apply(cx: &mut Context<'_, '_>, id: &str, result: &Result<Bytes, TerminalFailure>) {
    // The Attempt rejects ids that cannot be parsed.
    let Ok(id) = id.parse::<AwakeableId>() else { return };
    let message = Message::Signal {
        to: id.invocation,
        signal: SignalId::Index(id.signal),
        result: result.clone().into(),
    };
    outbox::send(cx, message);
}
