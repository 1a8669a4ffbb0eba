//! Completes an awakeable from outside: a numbered signal to the invocation that created it.

use bytes::Bytes;
use http::{Response, StatusCode};
use protocol::{
    AwakeableId, TerminalFailure,
    journal::{
        NotificationResult,
        notification::{FIRST_AWAKEABLE_SIGNAL, SignalId},
    },
};
use runtime_core::effect::SignalAnswer;
use runtime_partition::budget::Held;

use crate::{
    Ingress,
    body::{Body, full},
    error::Rejection,
};

/// Responds once the signal is durable. The answer comes from the very record that applies the
/// signal, so what is acknowledged is never lost.
pub(crate) async fn complete(
    ingress: &Ingress,
    id: AwakeableId,
    resolve: bool,
    body: Bytes,
    held: Vec<Held>,
) -> Result<Response<Body>, Rejection> {
    let AwakeableId { invocation, signal } = id;
    let result = if resolve {
        NotificationResult::Value(body)
    } else {
        let message = String::from_utf8_lossy(&body);
        NotificationResult::Failure(TerminalFailure::new(500, message))
    };
    let signal = SignalId::Index(signal);
    let signalled = ingress.partitions.signal(held, invocation, signal, result).await;
    match signalled.map_err(|_| Rejection::Stopping)? {
        // From outside, too late and unknown look the same: the real server responds with 202, too.
        SignalAnswer::Stored | SignalAnswer::AlreadyCompleted | SignalAnswer::NotFound => {
            let mut response = Response::new(full(Bytes::new()));
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok(response)
        }
        SignalAnswer::JournalFull { entries_max, bytes_max } => {
            Err(Rejection::JournalFull { entries_max, bytes_max })
        }
    }
}

/// Parses an awakeable's id.
pub(crate) fn parse(id: &str) -> Result<AwakeableId, Rejection> {
    let bad = |reason: String| Rejection::Id { what: "awakeable", id: id.to_owned(), reason };
    let awakeable: AwakeableId =
        id.parse().map_err(|error: protocol::ids::IdParseError| bad(error.to_string()))?;
    let signal = awakeable.signal;
    // Lower numbers are reserved by the protocol: 1 cancels an invocation.
    if signal < FIRST_AWAKEABLE_SIGNAL {
        return Err(bad(format!(
            "it names signal {signal}, but awakeables are numbered from {FIRST_AWAKEABLE_SIGNAL}"
        )));
    }
    Ok(awakeable)
}

#[cfg(test)]
mod tests {
    use protocol::{InvocationId, PartitionKey};

    use super::*;

    #[test]
    fn a_reserved_signal_is_refused_as_an_awakeable() {
        let id = |signal| {
            let invocation = InvocationId { partition_key: PartitionKey(7), uuid: 9 };
            AwakeableId { invocation, signal }.to_string()
        };
        for reserved in [0, 1, 2, 16] {
            let refused = parse(&id(reserved)).unwrap_err();
            assert_eq!(refused.response().status(), StatusCode::BAD_REQUEST);
            let reason = format!("names signal {reserved}, but awakeables are numbered from 17");
            assert!(refused.to_string().contains(&reason), "{refused}");
        }
        assert_eq!(parse(&id(17)).unwrap().signal, 17);
        let full = Rejection::JournalFull { entries_max: 1, bytes_max: 2 };
        assert_eq!(full.response().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
