//! One connection in HTTP/2 with prior knowledge, shared by many attempts.
//!
//! This is the hot path, so it is h2 itself and not a client on top of it: a request's head and the
//! start of its body are one write then, and no task or channel stands between an attempt and its
//! stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use h2::{
    Ping, PingPong, SendStream,
    client::{self, Builder, ResponseFuture, SendRequest},
};
use http::{Request, Uri};
use runtime_core::attempt::Fault;
use tokio::{net::TcpStream, sync::watch, time};

use crate::{
    quick_ack::QuickAck,
    sockets::Socket,
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
const CONNECTION_WINDOW_BYTES: u32 = 128 * windows::MOST_BYTES;
const _: () =
    assert!(CONNECTION_WINDOW_BYTES as usize == STREAMS_MAX * windows::MOST_BYTES as usize);
/// A new window is announced after so long, and then looked after as often.
const WINDOW_DELAY: Duration = Duration::from_millis(20);
/// The other side has so long to accept a smaller one, as for a ping: it may be busy.
const WINDOW_TIMEOUT: Duration = KEEP_ALIVE_TIMEOUT;
/// While it is in use, a connection is asked this often whether the other side is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// And has so long to answer.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection that nobody has used for so many of these intervals is closed.
const IDLE_INTERVALS_MAX: u32 = 3;
/// One that is idle when others need its place is closed after so long: whoever was just about to use it has
/// done so by then.
const LEAVE_DELAY: Duration = Duration::from_millis(100);

/// A connection that is up.
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    status: Arc<Status>,
}

/// What a connection is doing.
#[derive(Debug, Default)]
struct Status {
    streams: AtomicUsize,
    /// It takes no streams until the other side has accepted a smaller window: it may send too much ahead.
    is_shrinking: AtomicBool,
    /// It takes none any more: nobody has needed it.
    is_leaving: AtomicBool,
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
pub(crate) struct Place(Arc<Status>);

impl Place {
    fn take(status: &Arc<Status>) -> Self {
        status.streams.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(status))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
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
        let Status { streams, is_shrinking, is_leaving } = &*self.status;
        streams.load(Ordering::Relaxed) < limit
            && !is_shrinking.load(Ordering::Relaxed)
            && !is_leaving.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self) -> Room {
        Room { sender: self.sender.clone(), place: Place::take(&self.status) }
    }
}

/// Makes a connection, which has the right to be one for as long as it lives.
pub(crate) async fn dial(
    uri: &Uri,
    windows: &Windows,
    socket: Socket,
) -> Result<Connection, Fault> {
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
    let status: Arc<Status> = Arc::default();
    let pings = connection.ping_pong();
    let watched = Arc::clone(&status);
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    tokio::spawn(async move {
        // In a set, a future is polled when it is woken itself, and not at each frame.
        let mut no_more = FuturesUnordered::from_iter([no_more(pings, &watched, &socket)]);
        tokio::select! {
            ended = carry(connection, (window, window_bytes), &watched) => if let Err(error) = ended {
                tracing::debug!(%error, "a connection to an endpoint ended with an error");
            },
            // Its streams end with it.
            Some(closed) = no_more.next() => match closed {
                Closed::Silent => tracing::warn!(
                    endpoint = authority,
                    "an endpoint does not answer on its connection; it is closed"
                ),
                Closed::Idle => tracing::debug!(endpoint = authority, "an idle connection is closed"),
            }
        }
    });
    Ok(Connection { sender, status })
}

/// Carries what its streams say, and follows what they may say ahead.
async fn carry(
    mut connection: client::Connection<QuickAck, Bytes>,
    (mut window, mut accepted_bytes): (watch::Receiver<u32>, u32),
    status: &Status,
) -> Result<(), h2::Error> {
    // What was announced last, and is not known to be accepted.
    let mut announced: Option<u32> = None;
    let (mut is_due, mut since) = (false, time::Instant::now());
    loop {
        {
            // As above: not at each frame.
            let mut news = FuturesUnordered::from_iter([news(&mut window, is_due)]);
            tokio::select! {
                ended = &mut connection => return ended,
                Some(()) = news.next() => (),
            }
        }
        if !is_due {
            (is_due, since) = (true, time::Instant::now());
            let is_shrinking = *window.borrow() < accepted_bytes;
            status.is_shrinking.store(is_shrinking, Ordering::Relaxed);
            continue;
        }
        let wanted = *window.borrow_and_update();
        if connection.set_initial_window_size(wanted).is_ok() {
            // Only one is announced at a time: the one before is accepted.
            accepted_bytes = announced.unwrap_or(accepted_bytes);
            (announced, since) = (Some(wanted), time::Instant::now());
            is_due = accepted_bytes != wanted;
            status.is_shrinking.store(wanted < accepted_bytes, Ordering::Relaxed);
        } else if status.is_shrinking.load(Ordering::Relaxed) && since.elapsed() >= WINDOW_TIMEOUT {
            tracing::warn!(
                "an endpoint does not accept a smaller window; its connection is closed"
            );
            return Ok(());
        }
    }
}

/// Done when there is another window, or when it is time to look whether one that is due was accepted.
async fn news(window: &mut watch::Receiver<u32>, is_due: bool) {
    if is_due {
        time::sleep(WINDOW_DELAY).await;
    } else if window.changed().await.is_err() {
        // The node stops, and this connection with it.
        std::future::pending::<()>().await;
    }
}

/// Why a connection is closed.
enum Closed {
    /// The other side is not there any more.
    Silent,
    /// Nobody needs it.
    Idle,
}

/// Done when a connection is of no use any more.
async fn no_more(pings: Option<PingPong>, status: &Status, socket: &Socket) -> Closed {
    let Some(mut pings) = pings else { return std::future::pending().await };
    let (mut idle_intervals, mut look_at) = (0, time::Instant::now() + KEEP_ALIVE_INTERVAL);
    loop {
        let is_wanted = time::timeout_at(look_at, socket.wanted()).await.is_ok();
        let is_idle = status.streams.load(Ordering::Relaxed) == 0;
        if is_wanted {
            if is_idle && status.leaves().await {
                return Closed::Idle;
            }
            // They go on asking, and this one is in use.
            time::sleep(LEAVE_DELAY).await;
            continue;
        }
        look_at = time::Instant::now() + KEEP_ALIVE_INTERVAL;
        if is_idle {
            idle_intervals += 1;
            if idle_intervals >= IDLE_INTERVALS_MAX && status.leaves().await {
                return Closed::Idle;
            }
            continue;
        }
        idle_intervals = 0;
        let answer = time::timeout(KEEP_ALIVE_TIMEOUT, pings.ping(Ping::opaque())).await;
        if !matches!(answer, Ok(Ok(_))) {
            return Closed::Silent;
        }
    }
}

impl Status {
    /// Takes no more streams; whether there is none after a moment.
    async fn leaves(&self) -> bool {
        self.is_leaving.store(true, Ordering::Relaxed);
        time::sleep(LEAVE_DELAY).await;
        let is_idle = self.streams.load(Ordering::Relaxed) == 0;
        self.is_leaving.store(is_idle, Ordering::Relaxed);
        is_idle
    }
}
