//! The end of a partition that was asked to stop: what has come in is taken, and one more checkpoint is
//! written. The log has everything without that; but a start has less to fold, and tables that have all
//! of the log notice when some of it is gone.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Driver, Turn};

impl Driver {
    /// Comes to an end, within so long.
    pub(crate) fn close(&mut self, within: Duration) {
        let deadline = Instant::now() + within;
        let left = || deadline.saturating_duration_since(Instant::now());
        // The last words of attempts, above all: they would run again.
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
        // Nobody may wait for it any more.
        self.checkpoint(move |done| drop(told.send(done)));
        if let Ok(done) = hears.recv_timeout(left()) {
            self.install(done);
        }
    }
}
