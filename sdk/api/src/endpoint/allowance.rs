//! Which handlers are polled where their connection is read and written, and for how long.
//!
//! A task of its own costs a handler some microseconds at every wait, so those that are quick are polled
//! by the connection. While they are, nobody else on it is served and other threads cannot help: hence
//! only handlers that have shown to be quick, and not for long at once.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// What a connection may spend on handlers before it is written again.
const AT_ONCE: Duration = Duration::from_micros(500);
/// What a poll of a quick handler takes at most, in the mean.
const QUICK: Duration = Duration::from_micros(100);
/// How far a handler that was not asked yet is from being quick, in polls that take no time.
const UNPROVEN_POLLS: u32 = 8;
/// More is not held against a handler.
const SLOW_MAX: Duration = Duration::from_secs(10);

/// What is left of a connection's time for handlers.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    /// In nanoseconds. It is shared by the handlers on the connection, which one thread polls.
    left: AtomicI64,
}

impl Allowance {
    /// The connection is served: there is time again.
    pub(super) fn renew(&self) {
        self.left.store(nanoseconds(AT_ONCE), Ordering::Relaxed);
    }

    /// Whether there is time for another poll.
    pub(super) fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
    }

    /// A poll took so long.
    pub(super) fn spend(&self, time: Duration) {
        self.left.fetch_sub(nanoseconds(time), Ordering::Relaxed);
    }
}

/// How quick a handler is, in the mean of all its polls, wherever they were.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The time by which its polls exceed what quick ones take, in nanoseconds.
    excess: AtomicI64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { excess: AtomicI64::new(nanoseconds(QUICK * UNPROVEN_POLLS)) }
    }
}

impl Pace {
    /// Whether it has shown to be quick.
    pub(super) fn is_quick(&self) -> bool {
        self.excess.load(Ordering::Relaxed) <= 0
    }

    /// A poll took so long. Of two at the same time one may be forgotten: it is a mean.
    pub(super) fn note(&self, time: Duration) {
        let excess = self.excess.load(Ordering::Relaxed);
        let excess = excess.saturating_add(nanoseconds(time)) - nanoseconds(QUICK);
        self.excess.store(excess.clamp(0, nanoseconds(SLOW_MAX)), Ordering::Relaxed);
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_quick_when_its_polls_are_so_in_the_mean() {
        let pace = Pace::default();
        assert!(!pace.is_quick(), "nothing is known of it");
        (0..2 * UNPROVEN_POLLS).for_each(|_| pace.note(QUICK / 2));
        assert!(pace.is_quick());
        pace.note(QUICK * 100);
        (0..98).for_each(|_| pace.note(Duration::ZERO));
        assert!(!pace.is_quick(), "one long poll weighs as much as many quick ones");
        pace.note(Duration::ZERO);
        assert!(pace.is_quick());
        pace.note(SLOW_MAX * 100);
        let polls = SLOW_MAX.as_nanos() / QUICK.as_nanos();
        (0..polls).for_each(|_| pace.note(Duration::ZERO));
        assert!(pace.is_quick(), "nothing is held against it for ever");
    }

    #[test]
    fn a_connection_has_so_much_time_at_once() {
        let allowance = Allowance::default();
        assert!(!allowance.is_left());
        allowance.renew();
        allowance.spend(AT_ONCE / 2);
        assert!(allowance.is_left());
        allowance.spend(AT_ONCE * 100);
        assert!(!allowance.is_left());
        allowance.renew();
        assert!(allowance.is_left());
    }
}
