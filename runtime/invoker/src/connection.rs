//! One HTTP/2 connection with prior knowledge, shared by many attempts.
//!
//! This is the hot path, so it uses h2 directly instead of a client on top of it: a request's head
//! and the start of its body then go out in a single write, and there is no task or channel between
//! an attempt and its stream.

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

/// Streams per connection before another connection is made: below the limit of 200 that hyper's
/// servers announce. If a server announces a lower limit, that applies.
const STREAMS_MAX: usize = 128;
/// The limit before the server's settings have arrived; few servers announce a lower one.
pub(crate) const STREAMS_MAX_AT_FIRST: usize = 100;

/// Maximum total size of the names and values of a response's headers.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// How much an endpoint may send on all [`STREAMS_MAX`] streams of a connection before they are
/// read: enough that streams that are not being read don't take window from the others.
const CONNECTION_WINDOW_BYTES: u32 = 128 * windows::MOST_BYTES;
const _: () =
    assert!(CONNECTION_WINDOW_BYTES as usize == STREAMS_MAX * windows::MOST_BYTES as usize);
/// How long to wait before announcing a new window, and then how often to check whether it was
/// accepted.
const WINDOW_DELAY: Duration = Duration::from_millis(20);
/// How long the endpoint may take to accept a smaller window; as long as for a ping, since it may
/// be busy.
const WINDOW_TIMEOUT: Duration = KEEP_ALIVE_TIMEOUT;
/// How often a connection that is in use is checked for liveness.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long the endpoint may take to answer a ping.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection that was idle for this many intervals is closed.
const IDLE_INTERVALS_MAX: u32 = 3;
/// How long an idle connection stays open after another host needs its permit: enough time for a
/// request that was just about to use it.
const LEAVE_DELAY: Duration = Duration::from_millis(100);

/// An established connection.
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    status: Arc<Status>,
}

/// The state of a connection, shared with its background task.
#[derive(Debug, Default)]
struct Status {
    streams: AtomicUsize,
    /// No new streams until the endpoint accepts a smaller window, since it could send too much
    /// ahead.
    is_shrinking: AtomicBool,
    /// No new streams, since the connection is idle and about to be closed.
    is_leaving: AtomicBool,
}

/// A stream slot on a connection.
pub(crate) struct StreamSlot {
    sender: SendRequest<Bytes>,
    guard: StreamGuard,
}

/// An open stream.
pub(crate) struct Stream {
    pub(crate) response: ResponseFuture,
    pub(crate) sending: SendStream<Bytes>,
    /// Hold this for as long as the stream is open.
    pub(crate) guard: StreamGuard,
}

impl StreamSlot {
    /// Sends the head of a request.
    pub(crate) fn open(mut self, request: Request<()>) -> Result<Stream, Fault> {
        let opened = self.sender.send_request(request, false);
        let (response, sending) = opened.map_err(|error| unreachable(&error))?;
        Ok(Stream { response, sending, guard: self.guard })
    }
}

/// Reserves one of a connection's stream slots; released on drop.
pub(crate) struct StreamGuard(Arc<Status>);

impl StreamGuard {
    fn take(status: &Arc<Status>) -> Self {
        status.streams.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(status))
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// Whether it accepts new streams: not if it broke or the server sent GOAWAY.
    pub(crate) fn is_open(&mut self) -> bool {
        // This handle has no stream waiting to be opened, so it is never pending.
        let polled = self.sender.poll_ready(&mut Context::from_waker(Waker::noop()));
        !matches!(polled, Poll::Ready(Err(_)))
    }

    pub(crate) fn has_slot(&self) -> bool {
        // A stream beyond the server's limit would wait for another to end, possibly for its own
        // callee.
        let limit = STREAMS_MAX.min(self.sender.current_max_send_streams());
        let Status { streams, is_shrinking, is_leaving } = &*self.status;
        streams.load(Ordering::Relaxed) < limit
            && !is_shrinking.load(Ordering::Relaxed)
            && !is_leaving.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self) -> StreamSlot {
        StreamSlot { sender: self.sender.clone(), guard: StreamGuard::take(&self.status) }
    }
}

/// Establishes a connection, which holds its connection permit for as long as it lives.
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
        // In a set, the future is only polled when it is woken itself, not on every frame.
        let mut no_more = FuturesUnordered::from_iter([no_more(pings, &watched, &socket)]);
        tokio::select! {
            ended = carry(connection, (window, window_bytes), &watched) => if let Err(error) = ended {
                tracing::debug!(%error, "a connection to an endpoint ended with an error");
            },
            // Returning ends the connection along with its streams.
            Some(closed) = no_more.next() => match closed {
                Closed::Silent => tracing::warn!(
                    endpoint = authority,
                    "an endpoint does not answer pings; closing its connection"
                ),
                Closed::Idle => tracing::debug!(endpoint = authority, "closing an idle connection"),
            }
        }
    });
    Ok(Connection { sender, status })
}

/// Drives a connection, and announces changes of the receive window.
async fn carry(
    mut connection: client::Connection<QuickAck, Bytes>,
    (mut window, mut accepted_bytes): (watch::Receiver<u32>, u32),
    status: &Status,
) -> Result<(), h2::Error> {
    // The last window announced, if it is not known to be accepted yet.
    let mut announced: Option<u32> = None;
    let (mut is_due, mut since) = (false, time::Instant::now());
    loop {
        {
            // As above, to avoid a poll on every frame.
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
            // Only one change can be outstanding, so the previous one has been accepted.
            accepted_bytes = announced.unwrap_or(accepted_bytes);
            (announced, since) = (Some(wanted), time::Instant::now());
            is_due = accepted_bytes != wanted;
            status.is_shrinking.store(wanted < accepted_bytes, Ordering::Relaxed);
        } else if status.is_shrinking.load(Ordering::Relaxed) && since.elapsed() >= WINDOW_TIMEOUT {
            tracing::warn!("an endpoint does not accept a smaller window; closing its connection");
            return Ok(());
        }
    }
}

/// Resolves when the window changes, or, if a change is outstanding, when it is time to check on
/// it.
async fn news(window: &mut watch::Receiver<u32>, is_due: bool) {
    if is_due {
        time::sleep(WINDOW_DELAY).await;
    } else if window.changed().await.is_err() {
        // The node is shutting down, and this connection with it.
        std::future::pending::<()>().await;
    }
}

/// Why a connection is closed.
enum Closed {
    /// The endpoint no longer answers.
    Silent,
    /// It has been idle too long, or another host needs its permit.
    Idle,
}

/// Resolves when a connection should be closed.
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
            // Permit requests are repeated, and this connection is in use.
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
    /// Stops accepting streams; returns whether the connection is still idle after a moment.
    async fn leaves(&self) -> bool {
        self.is_leaving.store(true, Ordering::Relaxed);
        time::sleep(LEAVE_DELAY).await;
        let is_idle = self.streams.load(Ordering::Relaxed) == 0;
        self.is_leaving.store(is_idle, Ordering::Relaxed);
        is_idle
    }
}
