//! The port: HTTP/2 connections with prior knowledge, and HTTP/1.1.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time,
};

use super::{Endpoint, connection::Connection, http::answer};

/// How long requests in progress may take when the process shuts down.
const GRACE: Duration = Duration::from_secs(10);
/// Delay before accepting again after the listener has failed, for example for lack of file
/// descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// The start of the HTTP/2 preface, enough to tell it from an HTTP/1.1 request.
const PREFACE: &[u8] = b"PRI ";
/// Interval at which the rest is checked for when only a part has arrived, which hardly ever
/// happens.
pub(super) const PREFACE_RETRY: Duration = Duration::from_millis(5);
/// Number of such checks, after which the client may be gone.
const PREFACE_TRIES: u32 = 1000;

/// Completes when the process receives SIGTERM or Ctrl-C.
pub(super) async fn asked_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // If the handler cannot be installed, Ctrl-C remains.
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            let (interrupt, terminate) = (pin!(interrupt), pin!(terminate.recv()));
            select(interrupt, terminate).await;
            return;
        }
    }
    let _ = interrupt.await;
}

/// Serves until `end` completes, then finishes the requests in progress.
pub(super) async fn serve(
    endpoint: Arc<Endpoint>,
    listener: TcpListener,
    end: impl Future<Output = ()>,
) {
    endpoint.say_listening(listener.local_addr());
    // Every connection holds a receiver for its whole lifetime.
    let ending = watch::Sender::new(());
    let mut end = pin!(end);
    let mut is_failing = false;
    loop {
        let accepting = pin!(listener.accept());
        let stream = match select(accepting, end.as_mut()).await {
            Either::Left((Ok((stream, _)), _)) => stream,
            Either::Left((Err(error), _)) => {
                // Such failures tend to persist, so only the first is logged.
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "cannot accept connections; retrying");
                }
                time::sleep(ACCEPT_RETRY).await;
                continue;
            }
            Either::Right(((), _)) => break,
        };
        is_failing = false;
        // Frames are small, and the peer waits for them.
        let _ = stream.set_nodelay(true);
        let (endpoint, ending) = (Arc::clone(&endpoint), ending.subscribe());
        tokio::spawn(async move {
            if let Err(error) = converse(stream, endpoint, ending).await {
                tracing::debug!(error, "a connection ended");
            }
        });
    }
    // New connections are now refused instead of left without a response.
    drop(listener);
    let _ = ending.send(());
    if time::timeout(GRACE, ending.closed()).await.is_err() {
        tracing::warn!("shutting down with attempts in progress; the runtime will retry them");
    }
}

/// Serves a connection until it ends.
async fn converse(
    stream: TcpStream,
    endpoint: Arc<Endpoint>,
    mut ending: watch::Receiver<()>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let patience = endpoint.patience;
    let deadline = time::Instant::now() + patience.greeting;
    let begins = time::timeout_at(deadline, begins_http2(&stream));
    let is_http2 = match select(pin!(begins), pin!(ending.changed())).await {
        Either::Left((outcome, _)) => outcome??,
        Either::Right(_) => return Ok(()),
    };
    if is_http2 {
        let opening = Connection::open(stream, endpoint);
        let mut connection = time::timeout_at(deadline, opening).await??;
        if let Either::Left((ended, _)) = select(&mut connection, pin!(ending.changed())).await {
            return Ok(ended?);
        }
        connection.end();
        return Ok(connection.await?);
    }
    let service = service_fn(move |request| {
        std::future::ready(Ok::<_, Infallible>(answer(&endpoint, request)))
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience.head);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    if let Either::Left((ended, _)) = select(connection.as_mut(), pin!(ending.changed())).await {
        return Ok(ended?);
    }
    connection.as_mut().graceful_shutdown();
    Ok(connection.await?)
}

/// Whether a connection starts with the HTTP/2 preface. Consumes no bytes.
async fn begins_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut start = [0; PREFACE.len()];
    for _ in 0..PREFACE_TRIES {
        let there = stream.peek(&mut start).await?;
        if there == PREFACE.len() || there == 0 || !PREFACE.starts_with(&start[..there]) {
            break;
        }
        time::sleep(PREFACE_RETRY).await;
    }
    Ok(start == PREFACE)
}
