//! What follows a failed attempt: who asks for a pause, what it costs, and how long words are kept.

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
    event::AttemptFailure,
};

/// What is made of a fault: what is remembered, and what follows.
fn after(mut attempt: Attempt, fault: Fault) -> (AttemptFailure, AfterFailure) {
    attempt.broken(fault, &mut Zeros);
    let events = proposals(&mut attempt);
    let (failure, next) = failure(&events);
    (failure.clone(), next.clone())
}

fn with(policy_attempts: u32) -> Attempt {
    opened(StartAttempt { policy_attempts, ..start(Vec::new()) })
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
    let (failure, _) = after(with(0), fault());
    let name = failure.related_command.unwrap().name.unwrap();
    for (kept, bytes_max) in [
        (&failure.message, cut::MESSAGE_BYTES_MAX),
        (&failure.stacktrace, cut::STACKTRACE_BYTES_MAX),
        (&name, cut::NAME_BYTES_MAX),
    ] {
        assert!((bytes_max - 4..=bytes_max).contains(&kept.len()), "{}", kept.len());
        assert!(kept.ends_with("\u{1F980} [cut: this was 400000 bytes]"));
    }
    // What ends the invocation with it is the same.
    let mut attempt = with(2);
    attempt.options.retry.on_max_attempts = OnMaxAttempts::Kill;
    let AfterFailure::Kill(killed) = after(attempt, fault()).1 else { panic!("the last attempt") };
    assert_eq!(killed.message, failure.message);
    let failing = AttemptError { message: long(), ..error(None, ErrorBehavior::Fail) };
    let AfterFailure::Fail(failed) = after(with(0), Fault::Sdk(failing)).1 else {
        panic!("it is asked for")
    };
    assert_eq!(failed.message, failure.message);
    // What fits stays as it is.
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
    let mut attempt = with(0);
    let events = say(&mut attempt, wire::frame::Frame::new(entry.ty, entry.body));
    let [Event::CommandProposed { command, .. }] = &events[..] else { panic!("{events:?}") };
    let Command::Output { result: Err(stored) } = command.command() else { panic!("a failure") };
    assert_eq!(stored.message, message);
}
