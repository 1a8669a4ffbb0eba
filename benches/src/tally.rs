//! The tally of started, finished and live handlers. It shows the load generator when sends have
//! drained and when sleepers are suspended.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

static STARTED: AtomicU64 = AtomicU64::new(0);
static FINISHED: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);

/// One attempt of a handler. It is live until dropped, which happens when it ends or is suspended.
pub struct Live;

impl Live {
    /// Counts a handler as started.
    pub fn start() -> Self {
        STARTED.fetch_add(1, Relaxed);
        LIVE.fetch_add(1, Relaxed);
        Self
    }

    /// Counts the handler as finished.
    pub fn finish(self) {
        FINISHED.fetch_add(1, Relaxed);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

/// Writes one line, `started finished live`, to every client that connects.
pub async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let line = format!(
            "{} {} {}\n",
            STARTED.load(Relaxed),
            FINISHED.load(Relaxed),
            LIVE.load(Relaxed)
        );
        // The reader may already have disconnected.
        let _ = stream.write_all(line.as_bytes()).await;
    }
}
