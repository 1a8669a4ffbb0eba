//! The port: connections in HTTP/2 with prior knowledge and in HTTP/1.1.

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

/// How long what is under way may take when the process is asked to end.
const GRACE: Duration = Duration::from_secs(10);
/// After the listener failed, as when there are no file descriptors left, it is tried again so often.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How an HTTP/2 connection begins, as far as no request in HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI ";
/// When only a part of that is there, which networks hardly ever do, the rest is looked for so often.
pub(super) const PREFACE_RETRY: Duration = Duration::from_millis(5);
/// And so many times: whoever has said no more by then may be gone.
const PREFACE_TRIES: u32 = 1000;

/// Done when the process is asked to end.
pub(super) async fn asked_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Without the handler there is Ctrl-C.
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            let (interrupt, terminate) = (pin!(interrupt), pin!(terminate.recv()));
            select(interrupt, terminate).await;
            return;
        }
    }
    let _ = interrupt.await;
}

/// Serves until `end` is done, then finishes what is under way.
pub(super) async fn serve(
    endpoint: Arc<Endpoint>,
    listener: TcpListener,
    end: impl Future<Output = ()>,
) {
    endpoint.say_listening(listener.local_addr());
    // Every connection holds a receiver for as long as it lives.
    let ending = watch::Sender::new(());
    let mut end = pin!(end);
    let mut is_failing = false;
    loop {
        let accepting = pin!(listener.accept());
        let stream = match select(accepting, end.as_mut()).await {
            Either::Left((Ok((stream, _)), _)) => stream,
            Either::Left((Err(error), _)) => {
                // Whatever is wrong lasts: it is said once.
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, "connections can't be accepted; trying again");
                }
                time::sleep(ACCEPT_RETRY).await;
                continue;
            }
            Either::Right(((), _)) => break,
        };
        is_failing = false;
        // Frames are small and waited for.
        let _ = stream.set_nodelay(true);
        let (endpoint, ending) = (Arc::clone(&endpoint), ending.subscribe());
        tokio::spawn(async move {
            if let Err(error) = converse(stream, endpoint, ending).await {
                tracing::debug!(error, "a connection ended");
            }
        });
    }
    // Whoever connects now is refused instead of left without an answer.
    drop(listener);
    let _ = ending.send(());
    if time::timeout(GRACE, ending.closed()).await.is_err() {
        tracing::warn!("the endpoint ends with attempts under way; the runtime tries them again");
    }
}

/// Serves a connection to its end.
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

/// Whether a connection begins as HTTP/2 does, of which nothing is taken.
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
