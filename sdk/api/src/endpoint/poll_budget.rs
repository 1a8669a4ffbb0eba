//! Decides which handlers are polled inside their connection's task, and for how long.
//!
//! A task of its own costs a handler a few microseconds at every wait, so quick handlers are polled
//! by the connection. Meanwhile, no other request on that connection is served, and other threads
//! cannot help. Hence only handlers that have proved to be quick are polled there, and only within
//! a budget.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Poll budget: the time a connection may spend on handlers before it is written again.
const AT_ONCE: Duration = Duration::from_micros(500);
/// The average time that a poll of a quick handler takes at most.
const QUICK: Duration = Duration::from_micros(100);
/// How far a new handler is from being considered quick, in polls that take no time.
const UNPROVEN_POLLS: u32 = 8;
/// Upper bound on the excess counted against a handler.
const SLOW_MAX: Duration = Duration::from_secs(10);

/// The remaining poll budget of a connection.
#[derive(Debug, Default)]
pub(super) struct PollBudget {
    /// In nanoseconds. Shared by the handlers on the connection, which are polled by one thread.
    left: AtomicI64,
}

impl PollBudget {
    /// Restores the full budget, now that the connection is served again.
    pub(super) fn renew(&self) {
        self.left.store(nanoseconds(AT_ONCE), Ordering::Relaxed);
    }

    /// Whether the budget allows another poll.
    pub(super) fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
    }

    /// Subtracts the time that a poll took.
    pub(super) fn spend(&self, time: Duration) {
        self.left.fetch_sub(nanoseconds(time), Ordering::Relaxed);
    }
}

/// Poll cost: how quick a handler is, averaged over all its polls, inline or in a task.
#[derive(Debug)]
pub(crate) struct PollCost {
    /// The time by which its polls exceed that of quick ones, in nanoseconds.
    excess: AtomicI64,
}

impl Default for PollCost {
    fn default() -> Self {
        Self { excess: AtomicI64::new(nanoseconds(QUICK * UNPROVEN_POLLS)) }
    }
}

impl PollCost {
    /// Whether the handler has proved to be quick.
    pub(super) fn is_quick(&self) -> bool {
        self.excess.load(Ordering::Relaxed) <= 0
    }

    /// Records the time that a poll took. Of two concurrent records one may be lost, which an
    /// average tolerates.
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
        let cost = PollCost::default();
        assert!(!cost.is_quick(), "nothing is known of it");
        (0..2 * UNPROVEN_POLLS).for_each(|_| cost.note(QUICK / 2));
        assert!(cost.is_quick());
        cost.note(QUICK * 100);
        (0..98).for_each(|_| cost.note(Duration::ZERO));
        assert!(!cost.is_quick(), "one long poll weighs as much as many quick ones");
        cost.note(Duration::ZERO);
        assert!(cost.is_quick());
        cost.note(SLOW_MAX * 100);
        let polls = SLOW_MAX.as_nanos() / QUICK.as_nanos();
        (0..polls).for_each(|_| cost.note(Duration::ZERO));
        assert!(cost.is_quick(), "a slow poll is eventually forgiven");
    }

    #[test]
    fn a_connection_has_so_much_time_at_once() {
        let budget = PollBudget::default();
        assert!(!budget.is_left());
        budget.renew();
        budget.spend(AT_ONCE / 2);
        assert!(budget.is_left());
        budget.spend(AT_ONCE * 100);
        assert!(!budget.is_left());
        budget.renew();
        assert!(budget.is_left());
    }
}
