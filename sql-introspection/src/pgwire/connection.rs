//! The messages of one connection, from its first to its last.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, SinkExt};
use pgwire::{
    api::{ClientInfo, NoopHandler, PgWireConnectionState},
    error::PgWireError,
    messages::{
        PgWireBackendMessage, PgWireFrontendMessage,
        response::{NotificationResponse, TransactionStatus},
    },
    tokio::server::{
        MaybeTls, PgWireMessageServerCodec, negotiate_tls, process_error, process_message,
    },
};
use tokio::{net::TcpStream, sync::Notify, time::timeout};
use tokio_util::codec::Framed;

use super::{
    cancel::Cancels,
    door::Visitor,
    frames::{Frames, Refused},
    prepared::Prepared,
    session::Session,
    shared_bytes::SharedBytes,
    startup::{Access, Startup, fatal},
    tls::Tls,
};
use crate::{
    error::SqlError,
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
    let Ok(Some(mut connection)) = negotiated.await.unwrap_or(Ok(None)) else { return Ok(()) };
    let read = std::mem::take(connection.read_buffer_mut());
    if connection.is_secure() && !read.is_empty() {
        // Somebody in between may have sent it.
        let what = "something was sent before the connection was encrypted";
        return refuse(&mut connection, SqlError::new("08P01", what)).await;
    }
    let mut frames = Frames::new(read, &shared.large_messages);
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
                message = frames.next(&mut connection) => break message,
                notification = session.listening.next(), if is_let_in && is_outside => {
                    let (pid, _) = connection.pid_and_secret_key();
                    let Notification { channel, payload } = notification;
                    let notification = NotificationResponse::new(pid, channel, payload);
                    connection.send(PgWireBackendMessage::NotificationResponse(notification)).await?;
                }
            }
        };
        let message = match message {
            Ok(None | Some(PgWireFrontendMessage::Terminate(_))) => return Ok(()),
            Ok(Some(message)) => message,
            Err(Refused::Io(error)) => return Err(error),
            Err(Refused::Connection(error)) => return refuse(&mut connection, error).await,
            // What comes before the next Sync is ignored.
            Err(Refused::Message { .. })
                if matches!(connection.state(), PgWireConnectionState::AwaitingSync) =>
            {
                continue;
            }
            Err(Refused::Message { error, is_extended }) => {
                process_error(&mut connection, error.into(), is_extended).await?;
                continue;
            }
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

/// Ends a connection with an error.
async fn refuse(
    connection: &mut Framed<MaybeTls, PgWireMessageServerCodec<Prepared>>,
    error: SqlError,
) -> io::Result<()> {
    let ended = io::Error::new(io::ErrorKind::InvalidData, error.message.clone());
    let mut info = fatal(error.code, error.message);
    info.hint = error.hint;
    connection.send(PgWireBackendMessage::ErrorResponse(info.into())).await?;
    connection.close().await?;
    Err(ended)
}
