//! What follows a failed attempt.

use protocol::{
    TerminalFailure,
    wire::{WireError, control::ErrorBehavior},
};

use super::{Entropy, Fault, cut};
use crate::{effect::StartAttempt, event::AfterFailure, tables::deployment::OnMaxAttempts};

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

    /// The delay when it has been going wrong for so long: the same growth, told by time.
    fn delay_after_ms(&self, waited_ms: u64) -> u64 {
        let more_thousandths = self.factor_thousandths.saturating_sub(1000);
        let grown = u128::from(waited_ms) * u128::from(more_thousandths) / 1000;
        let grown_ms = u64::try_from(grown).unwrap_or(u64::MAX);
        grown_ms.max(self.initial_interval_ms).min(self.max_interval_ms)
    }
}

/// Decides by what the SDK asked for, then by the policy.
pub(super) fn decide(
    policy: &RetryPolicy,
    start: &StartAttempt,
    fault: &Fault,
    entropy: &mut dyn Entropy,
) -> AfterFailure {
    if let Fault::Sdk(error) = fault {
        match error.behavior {
            ErrorBehavior::Pause => return AfterFailure::Pause,
            ErrorBehavior::Fail => return AfterFailure::Fail(end(fault)),
            ErrorBehavior::Retry => (),
        }
    }
    if let Fault::Wire(WireError::TooDeep { .. }) = fault {
        return AfterFailure::Pause; // The handler would build the same tree again.
    }
    if let Some(delay_ms) = fault.retry_after_ms() {
        return retry(fault, delay_ms, false);
    }
    if let Fault::Deployment { .. } = fault {
        // No attempt was made, so none is used up. Without a count the time since the last entry
        // says how long this has been going on.
        let waited_ms = start.now.0.saturating_sub(start.last_entry_at.0);
        let delay_ms = spread(policy.delay_after_ms(waited_ms), entropy);
        return retry(fault, delay_ms, false);
    }
    let failures = start.policy_attempts.saturating_add(1);
    if policy.max_attempts.is_some_and(|max_attempts| failures >= max_attempts) {
        return match policy.on_max_attempts {
            OnMaxAttempts::Pause => AfterFailure::Pause,
            OnMaxAttempts::Kill => AfterFailure::Kill(end(fault)),
        };
    }
    retry(fault, spread(policy.delay_ms(failures), entropy), true)
}

fn retry(fault: &Fault, delay_ms: u64, counts: bool) -> AfterFailure {
    if fault.is_before_handler() {
        AfterFailure::RetryUnreached { delay_ms, counts }
    } else {
        AfterFailure::Retry { delay_ms, counts }
    }
}

/// The result of an invocation that ends with this fault. It is stored with it, given to all who wait,
/// and was no result of the handler's own: as long as what is shown of the attempt.
fn end(fault: &Fault) -> TerminalFailure {
    TerminalFailure::new(fault.code(), cut::message(fault.to_string()))
}

/// Up to a third more, so that what failed together is not tried again together.
fn spread(delay_ms: u64, entropy: &mut dyn Entropy) -> u64 {
    delay_ms + entropy.next_u64() % (delay_ms / 3 + 1)
}

#[cfg(test)]
mod tests;
