//! The messages of one connection, from its first to its last.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use pgwire::{
    api::{ClientInfo, NoopHandler, PgWireConnectionState},
    error::PgWireError,
    messages::{
        PgWireBackendMessage, PgWireFrontendMessage,
        response::{NotificationResponse, TransactionStatus},
    },
    tokio::server::{PgWireMessageServerCodec, negotiate_tls, process_error, process_message},
};
use tokio::{net::TcpStream, sync::Notify, time::timeout};
use tokio_util::codec::{Framed, FramedParts};

use super::{
    bounded::Bounded,
    cancel::Cancels,
    door::Visitor,
    prepared::Prepared,
    session::Session,
    shared_bytes::SharedBytes,
    startup::{Access, Startup},
    tls::Tls,
};
use crate::{
    feed::{Feed, Notification},
    query::Client,
};

/// How long a client may take until it is let in.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(30);

/// What all connections share.
pub(super) struct Shared {
    pub(super) access: Access,
    pub(super) tls: Option<Tls>,
    pub(super) cancels: Cancels,
    /// For large messages under way.
    pub(super) large_messages: SharedBytes,
    /// For the texts of prepared statements.
    pub(super) prepared: SharedBytes,
    pub(super) feed: Arc<dyn Feed>,
}

/// Serves one connection until its end.
pub(super) async fn serve(
    stream: TcpStream,
    shared: &Shared,
    client: Client,
    visitor: Visitor,
) -> io::Result<()> {
    let acceptor = shared.tls.as_ref().map(|tls| tls.acceptor.clone());
    let negotiated = timeout(STARTUP_TIMEOUT, negotiate_tls::<Prepared>(stream, acceptor));
    let Ok(Some(framed)) = negotiated.await.unwrap_or(Ok(None)) else { return Ok(()) };
    let mut connection = bound(framed, &shared.large_messages);
    let cancelled = Arc::new(Notify::new());
    let feed = Arc::clone(&shared.feed);
    let session = Session::new(client, Arc::clone(&cancelled), &shared.prepared, feed);
    let session = Arc::new(session);
    let startup = Startup::new(&shared.access, shared.tls.as_ref(), connection.is_secure());
    let startup = Arc::new(startup.map_err(io::Error::other)?);
    let cancels = Arc::new(shared.cancels.clone());
    let nothing = Arc::new(NoopHandler);
    let mut registered = None;
    let mut place = None;
    let mut is_idle = true;
    let until_let_in = tokio::time::sleep(STARTUP_TIMEOUT);
    tokio::pin!(until_let_in);
    loop {
        connection.get_mut().message_begins();
        let is_let_in = !matches!(
            connection.state(),
            PgWireConnectionState::AwaitingStartup
                | PgWireConnectionState::AuthenticationInProgress
        );
        if is_let_in && registered.is_none() {
            let (pid, secret) = connection.pid_and_secret_key();
            registered = Some(shared.cancels.register(pid, &secret, &cancelled));
            visitor.is_inside();
            if let Err(error) = session.start(connection.metadata()) {
                process_error(&mut connection, error.into(), false).await?;
                return Ok(());
            }
        }
        let is_outside = connection.transaction_status() == TransactionStatus::Idle;
        let message = loop {
            tokio::select! {
                () = &mut until_let_in, if !is_let_in => return Ok(()),
                message = connection.next() => break message,
                notification = session.listening.next(), if is_let_in && is_outside => {
                    let (pid, _) = connection.pid_and_secret_key();
                    let Notification { channel, payload } = notification;
                    let notification = NotificationResponse::new(pid, channel, payload);
                    connection.send(PgWireBackendMessage::NotificationResponse(notification)).await?;
                }
            }
        };
        let message = match message {
            None | Some(Ok(PgWireFrontendMessage::Terminate(_))) => return Ok(()),
            Some(Err(error)) => {
                process_error(&mut connection, error, false).await?;
                return Ok(());
            }
            Some(Ok(message)) => message,
        };
        // A request to cancel needs no place.
        if place.is_none() && matches!(message, PgWireFrontendMessage::Startup(_)) {
            match visitor.take_place() {
                Ok(taken) => place = Some(taken),
                Err(error) => return process_error(&mut connection, error.into(), false).await,
            }
        }
        // What was cancelled while nothing ran must not end what begins now.
        if is_idle {
            let _ = cancelled.notified().now_or_never();
        }
        is_idle =
            matches!(message, PgWireFrontendMessage::Query(_) | PgWireFrontendMessage::Sync(_));
        let is_last = matches!(message, PgWireFrontendMessage::CancelRequest(_));
        let is_extended = message.is_extended_query();
        let processed = process_message(
            message,
            &mut connection,
            Arc::clone(&startup),
            Arc::clone(&session),
            Arc::clone(&session),
            Arc::clone(&nothing),
            Arc::clone(&cancels),
        );
        if let Err(error) = processed.await {
            let is_fatal = is_fatal(&error) || !is_let_in;
            process_error(&mut connection, error, is_extended).await?;
            if is_fatal {
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Whether a connection ends with an error.
fn is_fatal(error: &PgWireError) -> bool {
    // All others concern a single message.
    matches!(error, PgWireError::UserError(info) if info.is_fatal())
        || matches!(error, PgWireError::IoError(_))
}

/// Bounds what is read before a message is complete.
fn bound<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    framed: Framed<S, PgWireMessageServerCodec<Prepared>>,
    large_messages: &SharedBytes,
) -> Framed<Bounded<S>, PgWireMessageServerCodec<Prepared>> {
    let old = framed.into_parts();
    let mut parts = FramedParts::new(Bounded::new(old.io, large_messages), old.codec);
    parts.read_buf = old.read_buf;
    parts.write_buf = old.write_buf;
    Framed::from_parts(parts)
}
