//! When the person at the terminal, or a supervisor, wants it to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end this. Without them, what was started would be left running.
pub(super) struct Stop([Signal; 3]);

impl Stop {
    pub(super) fn new() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self([interrupt, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    /// Waits until it is to end. One that came before is not missed.
    pub(super) async fn wanted(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
            _ = hangup.recv() => (),
        }
    }
}
