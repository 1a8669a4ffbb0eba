//! The tally of handlers started, finished and live, which tells the load generator when sends
//! have drained and when sleepers are suspended.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

static STARTED: AtomicU64 = AtomicU64::new(0);
static FINISHED: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);

/// One attempt of a handler; it is live until dropped, by its end or by its suspension.
pub struct Live;

impl Live {
    /// A handler has started.
    pub fn start() -> Self {
        STARTED.fetch_add(1, Relaxed);
        LIVE.fetch_add(1, Relaxed);
        Self
    }

    /// It has finished.
    pub fn finish(self) {
        FINISHED.fetch_add(1, Relaxed);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

/// Writes one line, `started finished live`, to whoever connects.
pub async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let line = format!(
            "{} {} {}\n",
            STARTED.load(Relaxed),
            FINISHED.load(Relaxed),
            LIVE.load(Relaxed)
        );
        // A reader that has gone away needs no answer.
        let _ = stream.write_all(line.as_bytes()).await;
    }
}
