//! Every bound on connections, with its reason.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Bounds on the connections of a server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Concurrent connections. At the limit, a new connection evicts the one that has been quiet
    /// longest, or else one whose requests are all blocked on the peer: their bodies have been
    /// slower than [`Limits::body_bytes_under_pressure`] within [`Limits::stall_under_pressure`],
    /// or their responses unread for that long. If every connection waits for the service, the new
    /// one is closed at once.
    pub connections_max: usize,
    /// Whether a connection whose bodies are fast enough is evicted, too, if there is no other: the
    /// one whose body would be too slow soonest. For a server whose small requests, such as probes,
    /// matter more than large ones: it takes little to be fast enough for a while.
    pub bodies_give_way: bool,
    /// Concurrent requests on one HTTP/2 connection.
    pub streams_max: u32,
    /// How long the head of a request may take, counted from its first byte, or from the start of
    /// the connection for the first request.
    pub head: Duration,
    /// How long an idle connection stays open. Longer than the minute for which load balancers keep
    /// theirs: the client has to close first, because a server that does so may drop a request that
    /// is already on its way.
    pub idle: Duration,
    /// How long the peer may accept none of what is written to it.
    pub stall: Duration,
    /// The same while other requests wait for response memory.
    pub stall_under_pressure: Duration,
    /// Requests that wait for response memory.
    pub pressure: Pressure,
    /// How long a body may take in addition to what [`Limits::body_bytes_per_second`] allows.
    pub body: Duration,
    /// Requests that wait for body memory or were refused it. Meanwhile bodies in transfer have to
    /// be faster.
    pub body_pressure: Pressure,
    /// A body that is slower than this, after [`Limits::body`], is abandoned.
    pub body_bytes_per_second: u64,
    /// A body in transfer that advances by less than this within [`Limits::stall_under_pressure`]
    /// is abandoned when other requests need its memory.
    pub body_bytes_under_pressure: u64,
    /// How long requests in progress may still take when the server stops.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            bodies_give_way: false,
            streams_max: 256,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            stall: Duration::from_secs(60),
            stall_under_pressure: Duration::from_secs(1),
            pressure: Pressure::default(),
            body: Duration::from_secs(30),
            body_pressure: Pressure::default(),
            body_bytes_per_second: 1024,
            body_bytes_under_pressure: 16 << 10,
            grace: Duration::from_secs(2),
        }
    }
}

/// Tracks requests that need memory which others hold. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Pressure(Arc<Needs>);

#[derive(Debug, Default)]
struct Needs {
    waiting: AtomicUsize,
    refused_at: Mutex<Option<Instant>>,
}

/// How long a refusal counts as need for memory. A refused client retries, and should then find the
/// memory that stalled bodies have released.
const REFUSAL_COUNTS: Duration = Duration::from_secs(3);

/// Counts as one waiter while it lives.
#[derive(Debug)]
pub struct Waits(Pressure);

impl Pressure {
    /// Registers one more waiter.
    pub fn begin(&self) -> Waits {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        Waits(self.clone())
    }

    /// Records that a request was refused for lack of memory.
    pub fn note_refusal(&self) {
        *self.refused_at() = Some(Instant::now());
    }

    pub(crate) fn is_there(&self) -> bool {
        self.0.waiting.load(Ordering::Relaxed) > 0
            || self.refused_at().is_some_and(|at| at.elapsed() < REFUSAL_COUNTS)
    }

    fn refused_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.refused_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Limits {
    /// How long the peer may currently accept nothing.
    pub(crate) fn stall_now(&self) -> Duration {
        if self.pressure.is_there() { self.stall_under_pressure } else { self.stall }
    }
}

/// Buffer size: holds a request head, and what HTTP/1.1 buffers ahead of the reader and of the
/// peer.
pub(crate) const BUFFER_BYTES_MAX: usize = 32 << 10;

/// Responses are written in chunks of this size, so that it shows whether the peer reads them.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// Interval of HTTP/2 keep-alive pings, and how long the peer has to acknowledge one.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);

/// How long to wait before accepting again after the listener failed, for example because no file
/// descriptors are left.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How long the rest of a refused body is read and discarded, so that its sender gets to read the
/// response.
pub(crate) const LINGER: Duration = Duration::from_secs(10);

/// How much of a refused body is read and discarded: twice the largest body that a client may send
/// by default.
pub(crate) const LINGER_BYTES_MAX: usize = 64 << 20;

/// Flow-control windows of HTTP/2: how much a client may send on a stream, and on a connection,
/// before the body is read. A body that waits for memory is not read, and there may be thousands of
/// them.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 64 << 10;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 128 << 10;
