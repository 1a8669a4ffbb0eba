//! Backoff: how long to wait before the next attempt. The runtime computes it for attempts and the
//! SDK for the closures of runs, both from the same parameters.

/// Delays that grow by a constant factor up to a maximum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// The first delay, in milliseconds.
    pub initial_interval_ms: u64,
    /// Growth factor in thousandths: 2000 doubles each delay, and 1000 or less keeps it constant.
    pub factor_thousandths: u64,
    /// The longest delay, in milliseconds.
    pub max_interval_ms: u64,
}

impl Backoff {
    /// The delay in milliseconds after `failures` consecutive failures; 1 is the first.
    pub fn delay_ms(&self, failures: u32) -> u64 {
        let mut delay_ms = self.initial_interval_ms.min(self.max_interval_ms);
        for _ in 1..failures {
            if delay_ms >= self.max_interval_ms || self.factor_thousandths <= 1000 {
                break;
            }
            let next = u128::from(delay_ms) * u128::from(self.factor_thousandths) / 1000;
            // A growing delay grows by at least 1 ms, even from 0 or where the factor would round
            // away. That also bounds the loop, however many failures a peer claims.
            let next_ms = u64::try_from(next).unwrap_or(u64::MAX).max(delay_ms + 1);
            delay_ms = next_ms.min(self.max_interval_ms);
        }
        delay_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_that_grows_gets_somewhere_and_never_too_far() {
        let backoff = |initial_interval_ms, factor_thousandths, max_interval_ms| Backoff {
            initial_interval_ms,
            factor_thousandths,
            max_interval_ms,
        };
        let delays = |backoff: &Backoff| [1, 2, 3, 4, 5].map(|failures| backoff.delay_ms(failures));
        assert_eq!(delays(&backoff(500, 2000, 3000)), [500, 1000, 2000, 3000, 3000]);
        assert_eq!(delays(&backoff(1, 1500, 60_000)), [1, 2, 3, 4, 6], "not 1 for ever");
        assert_eq!(delays(&backoff(0, 2000, 60_000)), [0, 1, 2, 4, 8], "nor 0");
        assert_eq!(delays(&backoff(7, 1000, 60_000)), [7; 5], "unless it is not to grow");
        assert_eq!(delays(&backoff(7, 0, 60_000)), [7; 5], "nor does it shrink");
        assert_eq!(delays(&backoff(500, 2000, 100)), [100; 5]);
        assert_eq!(backoff(1, 1001, 60_000).delay_ms(u32::MAX), 60_000);
        assert_eq!(backoff(1, 1001, u64::MAX).delay_ms(u32::MAX), u64::MAX);
        assert_eq!(backoff(u64::MAX, 2000, u64::MAX).delay_ms(3), u64::MAX);
        assert_eq!(backoff(5, 2000, 60_000).delay_ms(0), 5, "as after the first");
    }
}
