//! Triggers shutdown: on SIGTERM, on SIGINT, or when a partition can't continue.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Notifies all tasks, once, that the node is shutting down.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Sender<Option<Reason>>);

/// Why the node is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A signal arrived.
    Signal,
    /// A partition stopped by itself, because the log can't write.
    Partition,
}

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Starts the shutdown. The first reason counts.
    pub(crate) fn start(&self, reason: Reason) {
        self.0.send_if_modified(|current| {
            let is_first = current.is_none();
            if is_first {
                *current = Some(reason);
            }
            is_first
        });
    }

    /// Resolves when the node starts to shut down.
    pub(crate) async fn started(&self) -> Reason {
        let mut receiver = self.0.subscribe();
        let reason = receiver.wait_for(Option::is_some).await;
        // The sender lives as long as `self` does.
        reason.ok().and_then(|reason| *reason).unwrap_or(Reason::Signal)
    }

    /// Starts the shutdown on a signal.
    pub(crate) fn on_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
            shutdown.start(Reason::Signal);
        });
        Ok(())
    }
}
