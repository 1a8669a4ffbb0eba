//! How long handlers may compute where their connection is read and written.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Time that the handlers on a connection may take before it is written again. A task of its own costs
/// a handler some microseconds at every wait, so those that are quick are polled by the connection;
/// while they are, nobody else on it is served and other threads cannot help.
const AT_ONCE: Duration = Duration::from_micros(500);
/// What a handler takes beyond that is owed so many times over: one that computes for long is polled by
/// the connection once in a long while, to see whether it still does.
const OWED_TIMES: i64 = 10;

/// What is left of the time; shared by a connection and the handlers on it, which are polled by one
/// thread at a time.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    /// In nanoseconds; negative when time is owed.
    left: AtomicI64,
}

impl Allowance {
    /// The connection is served: there is time again, or less is owed.
    pub(super) fn renew(&self) {
        let at_once = nanoseconds(AT_ONCE);
        let left = self.left.load(Ordering::Relaxed);
        self.left.store((left + at_once).min(at_once), Ordering::Relaxed);
    }

    /// Polls a handler, if there is time for it.
    pub(super) fn spend<T>(&self, poll: impl FnOnce() -> T) -> Option<T> {
        let left = self.left.load(Ordering::Relaxed);
        if left <= 0 {
            return None;
        }
        let begun = Instant::now();
        let polled = poll();
        let left = left - nanoseconds(begun.elapsed());
        let left = if left < 0 { left.saturating_mul(OWED_TIMES) } else { left };
        self.left.store(left, Ordering::Relaxed);
        Some(polled)
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_computes_for_long_is_not_polled_for_a_long_time() {
        let allowance = Allowance::default();
        assert_eq!(allowance.spend(|| 1), None, "there is no time before the connection is served");
        allowance.renew();
        assert_eq!(allowance.spend(|| 1), Some(1));
        assert_eq!(allowance.spend(|| std::thread::sleep(AT_ONCE * 3)), Some(()));
        // Between two and three times the allowance is owed, tenfold.
        for _ in 0..20 {
            assert_eq!(allowance.spend(|| 1), None);
            allowance.renew();
        }
        while allowance.spend(|| 1).is_none() {
            allowance.renew();
        }
    }
}
