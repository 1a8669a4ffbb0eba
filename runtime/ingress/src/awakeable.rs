//! Completing an awakeable from outside: a numbered signal for the invocation that made it.

use bytes::Bytes;
use http::{Response, StatusCode};
use protocol::{
    AwakeableId, TerminalFailure,
    journal::{
        NotificationResult,
        notification::{FIRST_AWAKEABLE_SIGNAL, SignalId},
    },
};
use runtime_core::{
    effect::{Answer, SignalAnswer},
    event::Event,
};

use crate::{
    Ingress,
    body::{Body, full},
    error::Rejection,
};

/// Answers when the signal is durable: the answer is that of the very record that applies it, so what
/// is acknowledged is never lost.
pub(crate) async fn complete(
    ingress: &Ingress,
    id: &str,
    resolve: bool,
    body: Bytes,
) -> Result<Response<Body>, Rejection> {
    let AwakeableId { invocation, signal } =
        id.parse().map_err(|error: protocol::ids::IdParseError| Rejection::Id {
            what: "awakeable",
            id: id.to_owned(),
            reason: error.to_string(),
        })?;
    // The numbers below are the protocol's own: 1 cancels an invocation.
    if signal < FIRST_AWAKEABLE_SIGNAL {
        let reason = format!(
            "it names signal {signal}, but awakeables are numbered from {FIRST_AWAKEABLE_SIGNAL}"
        );
        return Err(Rejection::Id { what: "awakeable", id: id.to_owned(), reason });
    }
    let result = if resolve {
        NotificationResult::Value(body)
    } else {
        let message = String::from_utf8_lossy(&body);
        NotificationResult::Failure(TerminalFailure::new(500, message))
    };
    let to = ingress.partitions.owner(invocation.partition_key);
    let (target, signal) = (invocation, SignalId::Index(signal));
    let answer = ingress
        .partitions
        .request(to, |request| Event::SignalRequested { request, target, signal, result })
        .await
        .map_err(|_| Rejection::Stopping)?;
    match answer {
        // Too late and unknown are no different from outside: the real server says 202, too.
        Answer::Signalled(
            SignalAnswer::Stored | SignalAnswer::AlreadyCompleted | SignalAnswer::NotFound,
        ) => {
            let mut response = Response::new(full(Bytes::new()));
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        }
        Answer::Signalled(SignalAnswer::JournalFull { entries_max, bytes_max }) => {
            Err(Rejection::JournalFull { entries_max, bytes_max })
        }
        // The machine answers a signal in no other way.
        Answer::Accepted { .. }
        | Answer::Completed { .. }
        | Answer::AlreadyInvoked { .. }
        | Answer::Control(_)
        | Answer::Registered { .. }
        | Answer::Removed { .. } => Err(Rejection::Stopping),
    }
}
