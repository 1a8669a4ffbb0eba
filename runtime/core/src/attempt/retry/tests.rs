//! What follows a failed attempt: which delays are honoured, what counts against the policy, and
//! how long texts are truncated.

use protocol::wire::{
    MessageType,
    control::{AttemptError, ErrorBehavior, RelatedCommand},
};

use super::*;
use crate::{
    attempt::{
        Attempt, cut,
        tests::{Zeros, failure, opened, proposals, say, start},
    },
    model::invocation::AttemptFailure,
};

const DAY_MS: u64 = 24 * 3_600_000;

/// What a fault results in: the stored failure, and what follows.
fn after(mut attempt: Attempt, fault: Fault) -> (AttemptFailure, AfterFailure) {
    attempt.broken(fault, &mut Zeros);
    let events = proposals(&mut attempt);
    let (failure, next) = failure(&events);
    (failure.clone(), next.clone())
}

fn with(policy_attempts: u32, unsent: u32) -> Attempt {
    opened(StartAttempt { policy_attempts, unsent, ..start(Vec::new()) })
}

fn response(status: u16, retry_after_ms: Option<u64>) -> Fault {
    Fault::Response { status, message: "no".to_owned(), retry_after_ms }
}

fn unreachable() -> Fault {
    Fault::Unreachable { message: "no".to_owned() }
}

fn missing() -> Fault {
    Fault::Deployment { message: "gone".to_owned() }
}

fn error(next_retry_delay_ms: Option<u64>, behavior: ErrorBehavior) -> AttemptError {
    AttemptError {
        code: 500,
        message: "boom".to_owned(),
        stacktrace: String::new(),
        related_command: None,
        next_retry_delay_ms,
        behavior,
    }
}

#[test]
fn retry_after_asks_for_more_than_the_policy_and_never_for_less_and_counts() {
    // The policy's first delay is 500 ms, its second 1000 ms.
    for (asked_ms, counted, expected_ms) in [
        (0, 0, 500),
        (499, 0, 500),
        (999, 1, 1000),
        (1500, 0, 1500),
        (DAY_MS, 0, DAY_MS),
        (365 * DAY_MS, 0, DAY_MS),
        (u64::MAX, 1, DAY_MS),
    ] {
        let (_, next) = after(with(counted, 0), response(503, Some(asked_ms)));
        let expected = AfterFailure::RetryUnreached { delay_ms: expected_ms, counts: true };
        assert_eq!(next, expected, "{asked_ms} after {counted}");
    }
    let (_, next) = after(with(2, 0), response(429, Some(0)));
    assert_eq!(next, AfterFailure::Pause, "the policy has three attempts, whatever is asked for");
}

#[test]
fn an_sdks_own_delay_is_exact_and_counts_for_nothing_but_ends() {
    for (asked_ms, expected_ms) in [(0, 0), (7, 7), (DAY_MS, DAY_MS), (u64::MAX, DAY_MS)] {
        for counted in [0, 2, 1000] {
            let fault = Fault::Sdk(error(Some(asked_ms), ErrorBehavior::Retry));
            let (_, next) = after(with(counted, 0), fault);
            assert_eq!(next, AfterFailure::Retry { delay_ms: expected_ms, counts: false });
        }
    }
    let (_, next) = after(with(0, 0), Fault::Sdk(error(None, ErrorBehavior::Retry)));
    assert_eq!(next, AfterFailure::Retry { delay_ms: 500, counts: true });
}

#[test]
fn what_was_not_sent_uses_nothing_up_and_grows_by_its_own_count() {
    for fault in [unreachable, missing] {
        for (unsent, expected_ms) in
            [(0, 500), (1, 1000), (2, 2000), (7, 60_000), (u32::MAX, 60_000)]
        {
            // More than the policy's three attempts.
            let (_, next) = after(with(70, unsent), fault());
            assert_eq!(next, AfterFailure::RetryUnsent { delay_ms: expected_ms }, "{unsent}");
        }
    }
}

#[test]
fn whatever_was_sent_is_counted_and_the_handler_hears_of_what_it_may_have_done() {
    for status in [401, 404, 413, 415, 429, 503] {
        let (_, next) = after(with(0, 9), response(status, None));
        assert_eq!(next, AfterFailure::RetryUnreached { delay_ms: 500, counts: true }, "{status}");
    }
    let transport = Fault::Transport { message: "no".to_owned() };
    for fault in [transport, Fault::EndedEarly, response(502, None), response(500, None)] {
        let (_, next) = after(with(0, 9), fault);
        assert_eq!(next, AfterFailure::Retry { delay_ms: 500, counts: true });
    }
}

#[test]
fn a_setting_counts_what_was_not_sent_as_the_real_server_does() {
    let counting = |policy_attempts| {
        let mut attempt = with(policy_attempts, 9);
        attempt.options.node.counts_unsent = true;
        attempt
    };
    for fault in [unreachable, missing] {
        let (_, next) = after(counting(1), fault());
        assert_eq!(next, AfterFailure::RetryUnreached { delay_ms: 1000, counts: true });
        assert_eq!(after(counting(2), fault()).1, AfterFailure::Pause);
    }
}

#[test]
fn a_policy_without_a_pause_makes_no_loop_of_what_was_not_sent() {
    for factor_thousandths in [1000, 2000] {
        let mut attempt = with(0, 3);
        attempt.options.handler.retry.backoff =
            protocol::Backoff { initial_interval_ms: 0, factor_thousandths, max_interval_ms: 0 };
        let (_, next) = after(attempt, unreachable());
        assert_eq!(next, AfterFailure::RetryUnsent { delay_ms: UNSENT_DELAY_MIN_MS });
    }
}

#[test]
fn a_spread_delay_is_a_third_longer_at_most_and_never_too_long() {
    assert_eq!(spread(0, &mut Ones), 0);
    assert_eq!(spread(u64::MAX, &mut Ones), u64::MAX, "a manifest may say anything");
    assert_eq!(spread(500, &mut Zeros), 500);
    assert!((500..=666).contains(&spread(500, &mut Ones)));
}

struct Ones;

impl Entropy for Ones {
    fn next_u64(&mut self) -> u64 {
        u64::MAX
    }
}

#[test]
fn the_policy_decides_what_follows_the_last_attempt() {
    let mut attempt = with(2, 0);
    attempt.options.handler.retry.on_max_attempts = OnMaxAttempts::Kill;
    assert!(matches!(after(attempt, Fault::EndedEarly).1, AfterFailure::Kill(_)));
}

#[test]
fn long_words_of_an_attempt_are_kept_in_part_and_say_so() {
    let long = || "\u{1F980}".repeat(100_000);
    let fault = || {
        let related = RelatedCommand { index: Some(1), name: Some(long()), ty: Some(1041) };
        Fault::Sdk(AttemptError {
            message: long(),
            stacktrace: long(),
            related_command: Some(related),
            ..error(None, ErrorBehavior::Retry)
        })
    };
    let (failure, _) = after(with(0, 0), fault());
    let name = failure.related_command.unwrap().name.unwrap();
    for (kept, bytes_max) in [
        (&failure.message, cut::MESSAGE_BYTES_MAX),
        (&failure.stacktrace, cut::STACKTRACE_BYTES_MAX),
        (&name, cut::NAME_BYTES_MAX),
    ] {
        assert!((bytes_max - 4..=bytes_max).contains(&kept.len()), "{}", kept.len());
        assert!(kept.ends_with("\u{1F980} [cut: this was 400000 bytes]"));
    }
    // A failure that ends the invocation is truncated the same way.
    let mut attempt = with(2, 0);
    attempt.options.handler.retry.on_max_attempts = OnMaxAttempts::Kill;
    let AfterFailure::Kill(killed) = after(attempt, fault()).1 else { panic!("the last attempt") };
    assert_eq!(killed.message, failure.message);
    let failing = AttemptError { message: long(), ..error(None, ErrorBehavior::Fail) };
    let AfterFailure::Fail(failed) = after(with(0, 0), Fault::Sdk(failing)).1 else {
        panic!("it is asked for")
    };
    assert_eq!(failed.message, failure.message);
    // A text that fits is unchanged.
    let fits = "x".repeat(cut::MESSAGE_BYTES_MAX);
    assert_eq!(cut::message(fits.clone()), fits);
}

#[test]
fn a_handlers_own_result_is_kept_as_a_whole() {
    use crate::event::Event;
    use protocol::{ProtocolVersion, journal::Command, wire};
    let message = "x".repeat(100_000);
    let result = Err(TerminalFailure::new(409, &*message));
    let entry = wire::command::encode(&Command::Output { result }.into(), ProtocolVersion::V7);
    assert_eq!(entry.ty, MessageType::OUTPUT_COMMAND);
    let mut attempt = with(0, 0);
    let events = say(&mut attempt, wire::frame::Frame::new(entry.ty, entry.body));
    let [Event::CommandProposed { command, .. }] = &events[..] else { panic!("{events:?}") };
    let Command::Output { result: Err(stored) } = command.command() else { panic!("a failure") };
    assert_eq!(stored.message, message);
}
