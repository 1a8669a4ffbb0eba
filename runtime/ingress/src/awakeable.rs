//! Completing an awakeable from outside: a numbered signal for the invocation that made it.

use bytes::Bytes;
use http::{Response, StatusCode};
use protocol::{
    AwakeableId, TerminalFailure,
    journal::{NotificationResult, notification::SignalId},
};
use runtime_core::event::Event;

use crate::{
    Ingress,
    body::{Body, full},
    error::Rejection,
};

/// Answers when the signal is durable: what is acknowledged is never lost.
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
    let result = if resolve {
        NotificationResult::Value(body)
    } else {
        let message = String::from_utf8_lossy(&body);
        NotificationResult::Failure(TerminalFailure::new(500, message))
    };
    let to = ingress.partitions.owner(invocation.partition_key);
    let signal = SignalId::Index(signal);
    let event = Event::SignalReceived { target: invocation, signal, result };
    let stopped = |_| Rejection::Stopping;
    ingress.partitions.propose(to, event).await.map_err(stopped)?;
    // A read answers when everything before it is durable, the signal included.
    ingress.partitions.read(to, |_| ()).await.map_err(stopped)?;
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
