//! How long the endpoint waits for a client that has connected.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Timeouts for what a runtime does without delay. They do not apply to an attempt that has its
/// journal, which may take as long as its handler does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until a new connection has shown which protocol it speaks and, for HTTP/2, has completed the
    /// handshake.
    pub(super) greeting: Duration,
    /// Until the head of an HTTP/1.1 request is complete; also how long a connection may be idle.
    pub(super) head: Duration,
    /// Between two pieces of an attempt's journal.
    pub(super) journal: Duration,
}

impl Default for Patience {
    /// The same timeouts that the runtime's own ports apply to their clients.
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(10),
            head: Duration::from_secs(60),
            journal: Duration::from_secs(30),
        }
    }
}

/// Waits for the next piece of a journal. Most journals arrive whole and never need the timer.
#[derive(Default)]
pub(super) struct Wait(Option<Pin<Box<Sleep>>>);

impl Wait {
    /// Ready when nothing has arrived for the duration of `patience`. `has_come` tells whether
    /// something has arrived since the last poll.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        patience: Duration,
        has_come: bool,
    ) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if has_come {
            sleep.as_mut().reset(Instant::now() + patience);
        }
        sleep.as_mut().poll(cx)
    }

    /// Stops the timer, once there is nothing left to wait for.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }
}
