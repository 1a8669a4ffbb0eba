//! What follows a failed attempt.

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

/// The longest pause that an endpoint or an SDK can ask for before the next attempt, in milliseconds:
/// a day. Whoever needs longer sleeps, which is an entry that people can see; a header with a year in
/// it is a mistake, and an invocation that waits for a year is lost to those who wait for it.
pub const ASKED_DELAY_MAX_MS: u64 = 24 * 3_600_000;

/// The shortest pause after a request that was not sent, in milliseconds. No policy counts these, so
/// nothing else would end a loop whose policy has no pause at all; ten a second of one invocation is
/// what a log and an endpoint that is starting bear.
pub const UNSENT_DELAY_MIN_MS: u64 = 100;

/// Decides by what the SDK asked for, then by the policy.
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
            // Exactly that, and none of the policy's attempts: a run with a policy of its own goes by
            // that one.
            let delay_ms = asked_ms.min(ASKED_DELAY_MAX_MS);
            return AfterFailure::Retry { delay_ms, counts: false };
        }
    }
    if let Fault::Wire(WireError::TooDeep { .. }) = fault {
        return AfterFailure::Pause; // The handler would build the same tree again.
    }
    if fault.is_unsent() && !options.node.counts_unsent {
        // Nobody has heard of the attempt, so none is used up: the endpoint may be down for longer than
        // any policy lasts, and its invocations go on when it is back.
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
        // It can ask for more than the policy gives, and not for less.
        delay_ms = delay_ms.max((*asked_ms).min(ASKED_DELAY_MAX_MS));
    }
    if fault.is_before_handler() {
        AfterFailure::RetryUnreached { delay_ms, counts: true }
    } else {
        AfterFailure::Retry { delay_ms, counts: true }
    }
}

/// The result of an invocation that ends with this fault. It is stored with it, given to all who wait,
/// and was no result of the handler's own: as long as what is shown of the attempt.
fn end(fault: &Fault) -> TerminalFailure {
    TerminalFailure::new(fault.code(), cut::message(fault.to_string()))
}

/// Up to a third more, so that what failed together is not tried again together.
fn spread(delay_ms: u64, entropy: &mut dyn Entropy) -> u64 {
    delay_ms.saturating_add(entropy.next_u64() % (delay_ms / 3 + 1))
}

#[cfg(test)]
mod tests;
