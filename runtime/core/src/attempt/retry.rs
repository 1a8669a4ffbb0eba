//! What follows a failed attempt.

use protocol::{TerminalFailure, wire::control::ErrorBehavior};

use super::{Entropy, Fault};
use crate::{event::AfterFailure, tables::deployment::OnMaxAttempts};

/// How failed attempts are retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first delay, in milliseconds.
    pub initial_interval_ms: u64,
    /// Each delay is the last one times this, in thousandths.
    pub factor_thousandths: u64,
    /// The longest delay, in milliseconds.
    pub max_interval_ms: u64,
    /// Attempts in all; `None` is no limit.
    pub max_attempts: Option<u32>,
    /// What to do after the last.
    pub on_max_attempts: OnMaxAttempts,
}

impl Default for RetryPolicy {
    /// The real server's defaults: half a second doubling up to a minute, 70 attempts, then pause.
    fn default() -> Self {
        Self {
            initial_interval_ms: 500,
            factor_thousandths: 2000,
            max_interval_ms: 60_000,
            max_attempts: Some(70),
            on_max_attempts: OnMaxAttempts::Pause,
        }
    }
}

impl RetryPolicy {
    /// The delay after `failures` counted failures (1 for the first), without its spread.
    pub fn delay_ms(&self, failures: u32) -> u64 {
        let mut delay_ms = self.initial_interval_ms.min(self.max_interval_ms);
        for _ in 1..failures {
            if delay_ms >= self.max_interval_ms || self.factor_thousandths <= 1000 {
                break;
            }
            let next = u128::from(delay_ms) * u128::from(self.factor_thousandths) / 1000;
            delay_ms = u64::try_from(next).unwrap_or(u64::MAX).min(self.max_interval_ms);
        }
        delay_ms
    }
}

/// Decides by what the SDK asked for, then by the policy. `counted` attempts have failed before.
pub(super) fn decide(
    policy: &RetryPolicy,
    counted: u32,
    fault: &Fault,
    entropy: &mut dyn Entropy,
) -> AfterFailure {
    if let Fault::Sdk(error) = fault {
        match error.behavior {
            ErrorBehavior::Pause => return AfterFailure::Pause,
            ErrorBehavior::Fail => {
                return AfterFailure::Fail(TerminalFailure::new(error.code, &*error.message));
            }
            ErrorBehavior::Retry => (),
        }
    }
    if let Some(delay_ms) = fault.retry_after_ms() {
        return AfterFailure::Retry { delay_ms, counts: false };
    }
    let failures = counted + 1;
    if policy.max_attempts.is_some_and(|max_attempts| failures >= max_attempts) {
        return match policy.on_max_attempts {
            OnMaxAttempts::Pause => AfterFailure::Pause,
            OnMaxAttempts::Kill => {
                AfterFailure::Kill(TerminalFailure::new(fault.code(), fault.to_string()))
            }
        };
    }
    let delay_ms = policy.delay_ms(failures);
    // Up to a third more, so that what failed together is not tried again together.
    let spread_ms = entropy.next_u64() % (delay_ms / 3 + 1);
    AfterFailure::Retry { delay_ms: delay_ms + spread_ms, counts: true }
}
