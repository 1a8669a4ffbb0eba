//! Every bound on connections, and its reason.

use std::time::Duration;

/// What a server puts up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time. At the limit the one that has been quiet for longest makes room for
    /// the next; when all are busy, the next is closed at once.
    pub connections_max: usize,
    /// How long the head of a request may take, from its first byte; the first one of a connection, from
    /// when it was made.
    pub head: Duration,
    /// How long a connection on which nothing is asked stays open. Longer than the minute for which load
    /// balancers keep theirs: whoever closes first must not be the one that is asked.
    pub idle: Duration,
    /// How long the other side may take nothing of what is written to it.
    pub stall: Duration,
    /// How long a body may take beside what [`Limits::body_bytes_per_second`] allows.
    pub body: Duration,
    /// A body that is slower than this, after [`Limits::body`], is given up.
    pub body_bytes_per_second: u64,
    /// How long requests that are under way when the server stops may still take.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            stall: Duration::from_secs(60),
            body: Duration::from_secs(30),
            body_bytes_per_second: 1024,
            grace: Duration::from_secs(2),
        }
    }
}

/// A head with its headers, and what HTTP/1.1 reads or writes ahead of anybody who takes it.
pub(crate) const BUFFER_BYTES_MAX: usize = 32 << 10;

/// Answers are written in pieces of this size, so that it can be seen whether they are taken.
pub(crate) const PIECE_BYTES: usize = 64 << 10;

/// Requests at the same time on one connection in HTTP/2.
pub(crate) const STREAMS_MAX: u32 = 1000;

/// A connection in HTTP/2 is asked this often whether the other side is still there, and has as long
/// to answer.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);

/// After the listener failed, as when there are no file descriptors left, it is tried again so often.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);
