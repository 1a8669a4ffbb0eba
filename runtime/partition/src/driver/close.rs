//! Shutdown of a partition: it takes what has arrived and writes one more checkpoint. The log has
//! everything even without that, but the next start has less to fold, and tables that reflect the
//! whole log reveal when part of it is lost.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Driver, Turn};

impl Driver {
    /// Shuts down within this time.
    pub(crate) fn close(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        let left = || deadline.saturating_duration_since(Instant::now());
        // Above all the final messages of attempts: without them the attempts would run again.
        while matches!(self.turn(Duration::ZERO), Turn::Worked { .. }) && !left().is_zero() {}
        while self.schedule.is_running() && !left().is_zero() {
            if self.turn(left()) == Turn::Failed {
                return;
            }
        }
        if self.schedule.is_running() {
            return;
        }
        let (told, hears) = mpsc::channel();
        // The receiver may have timed out.
        self.checkpoint(move |done| drop(told.send(done)));
        if let Ok(done) = hears.recv_timeout(left()) {
            self.install(done);
        }
    }
}
