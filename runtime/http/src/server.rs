//! The accept loop, and the life of a connection.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    service::Service,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time,
};

use crate::{
    activity::Expired,
    body::{self, BoxError, ResponseBody, Timed},
    connections::{Connection, ConnectionPermit, Connections},
    io::Watched,
    limits::{
        ACCEPT_RETRY, BUFFER_BYTES_MAX, CONNECTION_WINDOW_BYTES, Limits, PING_INTERVAL,
        STREAM_WINDOW_BYTES,
    },
    linger::Lingering,
};

/// Serves HTTP/1.1, and HTTP/2 with prior knowledge, until `shutdown` resolves. Then it lets
/// requests in progress finish within [`Limits::grace`].
pub async fn serve<S, B>(
    listener: TcpListener,
    limits: Limits,
    service: S,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Lingering>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let limits = Arc::new(limits);
    let connections = Connections::new(&limits);
    // Every connection task holds a receiver for its lifetime.
    let ending = watch::Sender::new(());
    let mut shutdown = pin!(shutdown);
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // The client left at once, or no file descriptors are left. A later attempt may
                // succeed.
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "cannot accept connections; retrying");
                }
                time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        if std::mem::replace(&mut is_failing, false) {
            tracing::info!("accepting connections again");
        }
        let Some(permit) = connections.enter() else { continue };
        // Responses are small, and clients wait for them.
        let _ = stream.set_nodelay(true);
        let (service, limits) = (service.clone(), Arc::clone(&limits));
        tokio::spawn(converse(stream, permit, limits, service, ending.subscribe()));
    }
    // From here on, new clients are refused instead of waiting for a response that never comes.
    drop(listener);
    let _ = ending.send(());
    if time::timeout(limits.grace, ending.closed()).await.is_err() {
        tracing::info!("some requests were still in progress");
    }
}

/// Serves a connection to its end.
async fn converse<S, B>(
    stream: TcpStream,
    permit: ConnectionPermit,
    limits: Arc<Limits>,
    service: S,
    mut ending: watch::Receiver<()>,
) where
    S: Service<Request<Lingering>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let connection = Arc::clone(&permit.connection);
    let watched = Arc::clone(&connection);
    let bounds = Arc::clone(&limits);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let under_way = body::Request::begin(&watched);
        let request = request
            .map(|body| Lingering::new(Timed::new(body, &bounds, body::Reading::begin(&watched))));
        let answering = service.call(request);
        async move {
            let Ok(response) = answering.await;
            Ok::<_, Infallible>(response.map(|body| ResponseBody::new(body, under_way)))
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The time for a head is enforced here: hyper does not tell waiting for a head from idling.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(u32::try_from(BUFFER_BYTES_MAX).unwrap_or(u32::MAX))
        .max_send_buf_size(crate::limits::PIECE_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL);
    let stream = TokioIo::new(Watched::new(stream, Arc::clone(&connection)));
    let mut serving = pin!(builder.serve_connection(stream, service));
    let mut is_ending = false;
    loop {
        let look_at = next_look(&connection, &limits, is_ending);
        let news = {
            // In a set, a future is polled only when it is woken itself, not whenever bytes arrive
            // or leave.
            let mut news =
                FuturesUnordered::from_iter([news(&connection, &mut ending, is_ending, look_at)]);
            tokio::select! {
                served = &mut serving => {
                    if let Err(error) = served {
                        let error = &*error as &dyn Error;
                        tracing::debug!(error, "a connection ended with an error");
                    }
                    return;
                }
                Some(news) = news.next() => news,
            }
        };
        let has_to_end = match news {
            News::HasToGo => {
                tracing::debug!("evicting a connection in favour of another");
                return;
            }
            News::Ending => true,
            News::Look => match expired(&connection, &limits) {
                None => false,
                // Shut down gracefully: a client about to send its next request learns that it must
                // not.
                Some(Expired::Idle) if !is_ending => true,
                Some(expired @ (Expired::Idle | Expired::Head | Expired::Stalled)) => {
                    tracing::debug!(?expired, "closing an expired connection");
                    return;
                }
            },
        };
        if has_to_end {
            is_ending = true;
            serving.as_mut().graceful_shutdown();
        }
    }
}

/// An event that a connection task has to react to.
enum News {
    /// The connection is evicted in favour of another.
    HasToGo,
    /// The server is shutting down.
    Ending,
    /// It is time to check the connection's deadline, which may be earlier than before.
    Look,
}

async fn news(
    connection: &Connection,
    ending: &mut watch::Receiver<()>,
    is_ending: bool,
    look_at: time::Instant,
) -> News {
    tokio::select! {
        () = connection.has_to_go.notified() => News::HasToGo,
        () = connection.has_much_to_write.notified() => News::Look,
        _ = ending.changed(), if !is_ending => News::Ending,
        () = time::sleep_until(look_at) => News::Look,
    }
}

/// When to check the connection's deadline again. What starts in the meantime may have an earlier
/// deadline than what is in progress now, so the next check is never far off.
fn next_look(connection: &Connection, limits: &Limits, is_ending: bool) -> time::Instant {
    let now = time::Instant::now();
    let activity = connection.activity();
    let soon = if activity.is_writing() { limits.stall_under_pressure } else { limits.head };
    let soon = now + soon.min(limits.head);
    let at = activity.deadline(limits).map_or(soon, |(at, _)| at.min(soon));
    // A connection that is shutting down gets time to notice.
    if is_ending { at.max(now + limits.grace) } else { at }
}

fn expired(connection: &Connection, limits: &Limits) -> Option<Expired> {
    let (at, expired) = connection.activity().deadline(limits)?;
    (at <= time::Instant::now()).then_some(expired)
}
