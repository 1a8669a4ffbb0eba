//! One connection in HTTP/2 with prior knowledge, shared by many attempts.
//!
//! This is the hot path, so it is h2 itself and not a client on top of it: a request's head and the
//! start of its body are one write then, and no task or channel stands between an attempt and its
//! stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::{
    Ping, PingPong, SendStream,
    client::{self, Builder, ResponseFuture, SendRequest},
};
use http::{Request, Uri};
use runtime_core::attempt::Fault;
use tokio::{net::TcpStream, sync::watch, time};

use crate::{
    quick_ack::QuickAck,
    stream::unreachable,
    windows::{self, Windows},
};

/// Streams that one connection carries before another one is made: below the limit of 200 that
/// hyper's servers announce. A server that announces less gets less.
const STREAMS_MAX: usize = 128;
/// The same until the other side has said what it takes, which few say is less.
pub(crate) const STREAMS_MAX_AT_FIRST: usize = 100;

/// Names and values of a response's headers are shorter than this together.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// What an endpoint may send on all [`STREAMS_MAX`] streams of a connection before somebody reads it:
/// those that are not read must leave the others theirs.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 128 * windows::MOST_BYTES;
const _: () =
    assert!(CONNECTION_WINDOW_BYTES as usize == STREAMS_MAX * windows::MOST_BYTES as usize);
/// A new window is announced after so long: one at a time, and what changes back needs none.
const WINDOW_DELAY: Duration = Duration::from_millis(100);
/// While it is in use, a connection is asked this often whether the other side is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// And has so long to answer.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection that is up.
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    streams: Arc<AtomicUsize>,
}

/// Room for a stream on a connection.
pub(crate) struct Room {
    sender: SendRequest<Bytes>,
    place: Place,
}

/// A stream that has begun.
pub(crate) struct Stream {
    pub(crate) response: ResponseFuture,
    pub(crate) sending: SendStream<Bytes>,
    /// To be kept for as long as it is open.
    pub(crate) place: Place,
}

impl Room {
    /// Begins a request.
    pub(crate) fn open(mut self, request: Request<()>) -> Result<Stream, Fault> {
        let opened = self.sender.send_request(request, false);
        let (response, sending) = opened.map_err(|error| unreachable(&error))?;
        Ok(Stream { response, sending, place: self.place })
    }
}

/// A stream's place on its connection, given back when it is dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(streams: &Arc<AtomicUsize>) -> Self {
        streams.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(streams))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// Whether it takes new streams: it does not when it broke, or the other side takes its leave.
    pub(crate) fn is_open(&mut self) -> bool {
        // This handle has no stream that waits to be opened, so it is never pending.
        let polled = self.sender.poll_ready(&mut Context::from_waker(Waker::noop()));
        !matches!(polled, Poll::Ready(Err(_)))
    }

    pub(crate) fn has_room(&self) -> bool {
        // One above the other side's limit would wait for another to end, maybe for its own callee.
        let limit = STREAMS_MAX.min(self.sender.current_max_send_streams());
        self.streams.load(Ordering::Relaxed) < limit
    }

    pub(crate) fn take(&self) -> Room {
        Room { sender: self.sender.clone(), place: Place::take(&self.streams) }
    }
}

/// Makes a connection.
pub(crate) async fn dial(uri: &Uri, windows: &Windows) -> Result<Connection, Fault> {
    let mut window = windows.follow();
    let window_bytes = *window.borrow_and_update();
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let connecting = TcpStream::connect((host, uri.port_u16().unwrap_or(80)));
    let stream = connecting.await.map_err(|error| unreachable(&error))?;
    stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
    let (sender, mut connection) = Builder::new()
        .initial_window_size(window_bytes)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_max_send_streams(STREAMS_MAX_AT_FIRST)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .enable_push(false)
        .handshake(QuickAck::new(stream))
        .await
        .map_err(|error| unreachable(&error))?;
    let streams = Arc::default();
    let pings = connection.ping_pong();
    let in_use = Arc::clone(&streams);
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    tokio::spawn(async move {
        tokio::select! {
            ended = carry(connection, window) => if let Err(error) = ended {
                tracing::debug!(%error, "a connection to an endpoint ended with an error");
            },
            // Its streams end with it.
            () = answers_no_more(pings, in_use) => {
                tracing::warn!(
                    endpoint = authority,
                    "an endpoint does not answer on its connection; it is closed"
                );
            }
        }
    });
    Ok(Connection { sender, streams })
}

/// Carries what its streams say, and follows what they may say ahead.
async fn carry(
    mut connection: client::Connection<QuickAck, Bytes>,
    mut window: watch::Receiver<u32>,
) -> Result<(), h2::Error> {
    let mut is_due = false;
    loop {
        tokio::select! {
            ended = &mut connection => return ended,
            Ok(()) = window.changed(), if !is_due => is_due = true,
            () = time::sleep(WINDOW_DELAY), if is_due => {
                // The other side may not have answered to the one before yet.
                is_due = connection.set_initial_window_size(*window.borrow_and_update()).is_err();
            }
        }
    }
}

/// Done when the other side is not there any more.
async fn answers_no_more(pings: Option<PingPong>, streams: Arc<AtomicUsize>) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        time::sleep(KEEP_ALIVE_INTERVAL).await;
        if streams.load(Ordering::Relaxed) == 0 {
            continue;
        }
        let answer = time::timeout(KEEP_ALIVE_TIMEOUT, pings.ping(Ping::opaque())).await;
        if !matches!(answer, Ok(Ok(_))) {
            return;
        }
    }
}
