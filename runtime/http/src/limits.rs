//! Every bound on connections, and its reason.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a server puts up with.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at the same time. At the limit the one that has been quiet for longest makes room for
    /// the next, or else the one whose bodies have all been slower than
    /// [`Limits::body_bytes_per_second`] since [`Limits::stall_under_pressure`]; when all wait for us, the
    /// next is closed at once.
    pub connections_max: usize,
    /// Requests at the same time on one connection in HTTP/2.
    pub streams_max: u32,
    /// How long the head of a request may take, from its first byte; the first one of a connection, from
    /// when it was made.
    pub head: Duration,
    /// How long a connection on which nothing is asked stays open. Longer than the minute for which load
    /// balancers keep theirs: whoever closes first must not be the one that is asked.
    pub idle: Duration,
    /// How long the other side may take nothing of what is written to it.
    pub stall: Duration,
    /// How long it may take nothing while others wait for the memory of answers.
    pub stall_under_pressure: Duration,
    /// Who waits for the memory of answers.
    pub pressure: Pressure,
    /// How long a body may take beside what [`Limits::body_bytes_per_second`] allows.
    pub body: Duration,
    /// Who waits for the memory of bodies, or was refused it: then one that has begun must be faster.
    pub body_pressure: Pressure,
    /// A body that is slower than this, after [`Limits::body`], is given up.
    pub body_bytes_per_second: u64,
    /// One that has begun and gets on by less than this within [`Limits::stall_under_pressure`] is given
    /// up when others need its memory.
    pub body_bytes_under_pressure: u64,
    /// How long requests that are under way when the server stops may still take.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
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

/// Who needs memory that others hold. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Pressure(Arc<Needs>);

#[derive(Debug, Default)]
struct Needs {
    waiting: AtomicUsize,
    refused_at: Mutex<Option<Instant>>,
}

/// Whoever was refused asks again, and is to find what others did not need: so long that counts.
const REFUSAL_COUNTS: Duration = Duration::from_secs(3);

/// Somebody who waits, for as long as this lives.
#[derive(Debug)]
pub struct Waits(Pressure);

impl Pressure {
    /// One more waits.
    pub fn begin(&self) -> Waits {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        Waits(self.clone())
    }

    /// Somebody was refused.
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
    /// How long the other side may take nothing, as things are now.
    pub(crate) fn stall_now(&self) -> Duration {
        if self.pressure.is_there() { self.stall_under_pressure } else { self.stall }
    }
}

/// A head with its headers, and what HTTP/1.1 reads or writes ahead of anybody who takes it.
pub(crate) const BUFFER_BYTES_MAX: usize = 32 << 10;

/// Answers are written in pieces of this size, so that it can be seen whether they are taken.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// A connection in HTTP/2 is asked this often whether the other side is still there, and has as long
/// to answer.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);

/// After the listener failed, as when there are no file descriptors left, it is tried again so often.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What is left of a body that is refused is read and thrown away for so long, so that whoever sends it
/// gets to the answer.
pub(crate) const LINGER: Duration = Duration::from_secs(10);

/// The most of it that is: twice the largest body that anybody may send here by default.
pub(crate) const LINGER_BYTES_MAX: usize = 64 << 20;

/// What a client in HTTP/2 may send on a stream before somebody reads it, and on all of a connection: a body
/// that waits for memory is not read, and there may be thousands.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 64 << 10;
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 128 << 10;
