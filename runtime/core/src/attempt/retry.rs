//! Decides what follows a failed attempt.

use protocol::{
    TerminalFailure,
    wire::{WireError, control::ErrorBehavior},
};

use super::{cut, fault::Fault, options::AttemptOptions};
use crate::{
    admission::Entropy,
    effect::StartAttempt,
    model::{deployment::OnMaxAttempts, invocation::AfterFailure},
};

/// The longest delay that an endpoint or an SDK can request before the next attempt, in
/// milliseconds: one day. A handler that needs to wait longer should sleep, which leaves a visible
/// journal entry; a header that asks for a year is a mistake, and would leave the invocation's
/// callers waiting for a year.
pub const ASKED_DELAY_MAX_MS: u64 = 24 * 3_600_000;

/// The shortest delay after a request that was not sent, in milliseconds. No policy counts these,
/// so with a policy that has no delay nothing else would stop a busy loop; the log and an endpoint
/// that is starting up can cope with ten attempts per second of one invocation.
pub const UNSENT_DELAY_MIN_MS: u64 = 100;

/// The SDK's own request takes precedence over the policy.
pub(super) fn decide(
    options: &AttemptOptions,
    start: &StartAttempt,
    fault: &Fault,
    entropy: &mut dyn Entropy,
) -> AfterFailure {
    let policy = &options.handler.retry;
    if let Fault::Sdk(error) = fault {
        match error.behavior {
            ErrorBehavior::Pause => return AfterFailure::Pause,
            ErrorBehavior::Fail => return AfterFailure::Fail(end(fault)),
            ErrorBehavior::Retry => (),
        }
        if let Some(asked_ms) = error.next_retry_delay_ms {
            // Exactly this delay, and it does not count against the policy: a run with its own
            // retry policy follows that one.
            let delay_ms = asked_ms.min(ASKED_DELAY_MAX_MS);
            return AfterFailure::Retry { delay_ms, counts: false };
        }
    }
    if let Fault::Wire(WireError::TooDeep { .. }) = fault {
        return AfterFailure::Pause; // The handler would build the same tree again.
    }
    if fault.is_unsent() && !options.node.counts_unsent {
        // The endpoint never saw the attempt, so it is not counted: the endpoint may be down for
        // longer than any policy lasts, and its invocations resume when it is back.
        let failures = start.unsent.saturating_add(1);
        let delay_ms = policy.backoff.delay_ms(failures).max(UNSENT_DELAY_MIN_MS);
        return AfterFailure::RetryUnsent { delay_ms: spread(delay_ms, entropy) };
    }
    let failures = start.policy_attempts.saturating_add(1);
    if policy.max_attempts.is_some_and(|max_attempts| failures >= max_attempts) {
        return match policy.on_max_attempts {
            OnMaxAttempts::Pause => AfterFailure::Pause,
            OnMaxAttempts::Kill => AfterFailure::Kill(end(fault)),
        };
    }
    let mut delay_ms = spread(policy.backoff.delay_ms(failures), entropy);
    if let Fault::Response { retry_after_ms: Some(asked_ms), .. } = fault {
        // The endpoint can lengthen the policy's delay but not shorten it.
        delay_ms = delay_ms.max((*asked_ms).min(ASKED_DELAY_MAX_MS));
    }
    if fault.is_before_handler() {
        AfterFailure::RetryUnreached { delay_ms, counts: true }
    } else {
        AfterFailure::Retry { delay_ms, counts: true }
    }
}

/// The result of an invocation that ends with this fault. It is stored and sent to every waiter and
/// did not come from the handler itself, so it is truncated to the same length as an attempt's
/// failure.
fn end(fault: &Fault) -> TerminalFailure {
    TerminalFailure::new(fault.code(), cut::message(fault.to_string()))
}

/// Adds up to a third as jitter, so that attempts that failed together are not retried together.
fn spread(delay_ms: u64, entropy: &mut dyn Entropy) -> u64 {
    delay_ms.saturating_add(entropy.next_u64() % (delay_ms / 3 + 1))
}

#[cfg(test)]
mod tests;
