//! How long the endpoint waits for whoever has connected.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Bounds for what a runtime does at once. An attempt that has its journal is not one of them: it lasts as
/// long as its handler.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until a new connection has said which protocol it speaks, and has greeted in HTTP/2.
    pub(super) greeting: Duration,
    /// Until a request's head is whole in HTTP/1.1; so long a connection may also be idle.
    pub(super) head: Duration,
    /// Between two pieces of an attempt's journal.
    pub(super) journal: Duration,
}

impl Default for Patience {
    /// What the runtime's own ports give their clients.
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(10),
            head: Duration::from_secs(60),
            journal: Duration::from_secs(30),
        }
    }
}

/// Waits for the next piece of a journal. Most come whole, so that there is nothing to wait for.
#[derive(Default)]
pub(super) struct Wait(Option<Pin<Box<Sleep>>>);

impl Wait {
    /// Ready when nothing has come for too long. Whoever polls after something has come says so.
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

    /// There is nothing to wait for any more.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }
}
