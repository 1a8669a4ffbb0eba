//! Invocations that back off: how attempts are counted, and what starts the next one early.

use bytes::Bytes;
use protocol::journal::{Command, notification::SignalId};

use super::support::*;
use crate::{
    effect::Effect,
    event::{Event, Rules},
    model::{
        ids::{AttemptRef, Lsn, RequestId},
        invocation::{AfterFailure, Status, StatusKind, WaitingFor},
    },
};

const UNSENT: AfterFailure = AfterFailure::RetryUnsent { delay_ms: 100 };
const FAILED: AfterFailure = AfterFailure::Retry { delay_ms: 100, counts: true };

fn cancel() -> Event {
    Event::CancelRequested { request: RequestId(9), target: id(1) }
}

/// Lets the attempt fail; returns the time in milliseconds until which its invocation waits.
fn fail(fixture: &mut Fixture, name: AttemptRef, next: AfterFailure) -> u64 {
    fixture.apply(failed(name, next));
    let status = fixture.tables().invocation(name.invocation).unwrap().status;
    let Status::Waiting(WaitingFor::Retry { at }) = status else { panic!("{status:?}") };
    at.0
}

/// Like `fail`, and goes on to the next attempt, which it returns.
fn fail_and_go_on(fixture: &mut Fixture, name: AttemptRef, next: AfterFailure) -> AttemptRef {
    let at_ms = fail(fixture, name, next);
    fixture.now_ms = at_ms;
    let again = fixture.apply(timer(at_ms, name.invocation, 0));
    attempt(name.invocation, again)
}

/// The row's counts: unsent attempts, attempts counted by the policy, retries reported to the
/// handler.
fn counts(fixture: &mut Fixture, invocation: Lsn) -> (u32, u32, u32) {
    let row = fixture.tables().invocation(invocation).unwrap();
    (row.unsent, row.policy_attempts, row.retry_count)
}

/// How many cancellations its journal contains.
fn cancels(fixture: &mut Fixture, invocation: Lsn) -> usize {
    let len = fixture.tables().invocation(invocation).unwrap().journal_len;
    let journal = fixture.tables().journal(invocation, len);
    let id = |entry| protocol::wire::notification::decode(entry).unwrap().id;
    let cancel = protocol::journal::NotificationId::Signal(SignalId::Index(1));
    let notifications = journal.iter().filter(|entry| entry.ty.is_notification());
    notifications.filter(|entry| id(entry) == cancel).count()
}

#[test]
fn requests_that_were_not_sent_are_counted_in_the_row_and_by_no_policy() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let mut name = attempt(created, created);
    name = fail_and_go_on(&mut fixture, name, FAILED);
    for unsent in 1..=3 {
        name = fail_and_go_on(&mut fixture, name, UNSENT);
        assert_eq!(counts(&mut fixture, created), (unsent, 1, 1));
        // Across a restart, too.
        fixture.checkpoint();
        assert_eq!(counts(&mut fixture, created), (unsent, 1, 1));
        let Some(Effect::StartAttempt(start)) = fixture.effects.pop() else { panic!("a start") };
        assert_eq!((start.attempt, start.unsent), (name, unsent), "the next delay grows by it");
    }
    assert_eq!(fixture.tables().invocation(created).unwrap().last_failure.unwrap().message, "boom");
}

#[test]
fn an_attempt_that_gets_further_ends_the_count_of_unsent_ones() {
    type Further = fn(AttemptRef) -> Event;
    let further: [(&str, Further); 7] = [
        ("a command", |name| command(name, sleep(9000, 2))),
        ("a result", |name| Event::RunProposed {
            attempt: name,
            completion: 1,
            result: Ok(Bytes::new()),
        }),
        ("a suspension", |name| suspended(name, 1, 2)),
        ("a suspension that is over", |name| suspended(name, 1, 1)),
        ("a failure", |name| failed(name, FAILED)),
        ("a refusal", |name| {
            failed(name, AfterFailure::RetryUnreached { delay_ms: 100, counts: true })
        }),
        ("a pause", |name| failed(name, AfterFailure::Pause)),
    ];
    for (what, event) in further {
        let mut fixture = Fixture::single();
        let created = fixture.apply(invoked(call(1)));
        let first = attempt(created, created);
        fixture.apply(command(first, Command::Run { completion: 1 }));
        let second = fail_and_go_on(&mut fixture, first, UNSENT);
        let third = fail_and_go_on(&mut fixture, second, UNSENT);
        if what == "a suspension that is over" {
            fixture.apply(cancel());
        }
        assert_eq!(counts(&mut fixture, created).0, 2);
        fixture.apply(event(third));
        assert_eq!(counts(&mut fixture, created).0, 0, "{what}");
        assert_eq!(crate::invariants::check(&fixture.tables()), Ok(()), "{what}");
    }
}

#[test]
fn a_cancellation_starts_what_backs_off_at_once_and_changes_no_count() {
    for next in [UNSENT, FAILED] {
        let mut fixture = Fixture::single();
        let created = fixture.apply(invoked(call(1)));
        let first = attempt(created, created);
        let second = fail_and_go_on(&mut fixture, first, next.clone());
        let at_ms = fail(&mut fixture, second, next.clone());
        let counted = counts(&mut fixture, created);
        fixture.effects();
        let woken = fixture.apply(cancel());
        let retries = counted.2;
        assert_eq!(
            fixture.effects(),
            format!(
                "start 1@{} Greeter/greet entries=2 state=[] retries={retries}\nanswer 9 Requested",
                woken.0
            )
        );
        assert_eq!(counts(&mut fixture, created), counted);
        assert_eq!(crate::invariants::check(&fixture.tables()), Ok(()), "its timer is gone");
        fixture.now_ms = at_ms;
        fixture.apply(timer(at_ms, created, 0));
        assert_eq!(fixture.effects(), "", "it has begun already");
    }
}

#[test]
fn a_repeated_cancellation_is_not_stored_and_wakes_nothing() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    fail(&mut fixture, attempt(created, created), UNSENT);
    let woken = fixture.apply(cancel());
    let second = attempt(created, woken);
    fail(&mut fixture, second, UNSENT);
    fixture.effects();
    for _ in 0..3 {
        fixture.apply(cancel());
        assert_eq!(fixture.effects(), "answer 9 Requested", "it has been told");
    }
    // Nor does one that another invocation sends.
    let result = protocol::journal::NotificationResult::Void;
    let signal = SignalId::Index(1);
    fixture.apply(Event::SignalReceived { target: id(1), signal, result });
    assert_eq!(fixture.effects(), "");
    assert_eq!(cancels(&mut fixture, created), 1);
    // Once an attempt has got past the first one, the next one is stored and wakes it.
    let row = fixture.tables().invocation(created).unwrap();
    let Status::Waiting(WaitingFor::Retry { at }) = row.status else { panic!("it backs off") };
    fixture.now_ms = at.0;
    let third = fixture.apply(timer(at.0, created, 0));
    let third = attempt(created, third);
    fixture.apply(command(third, Command::Run { completion: 1 }));
    fail(&mut fixture, third, FAILED);
    fixture.effects();
    fixture.apply(cancel());
    assert!(fixture.effects().starts_with("start 1@"));
    assert_eq!(cancels(&mut fixture, created), 2);
}

#[test]
fn each_cancellation_of_one_that_runs_or_has_heard_of_the_last_is_stored() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    fixture.apply(cancel());
    fixture.apply(cancel());
    assert_eq!(cancels(&mut fixture, created), 2, "the first may have been heard");
    // It has seen both and suspends again, so the third one is new to it.
    fixture.apply(command(attempt(created, created), sleep(90_000, 1)));
    fixture.apply(suspended(attempt(created, created), 1, 4));
    fixture.effects();
    fixture.apply(cancel());
    assert!(fixture.effects().starts_with("start 1@"));
    assert_eq!(cancels(&mut fixture, created), 3);
}

#[test]
fn cancelling_one_that_is_paused_is_one_attempt_each_time() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let second = fail_and_go_on(&mut fixture, attempt(created, created), FAILED);
    fixture.apply(failed(second, AfterFailure::Pause));
    for _ in 0..3 {
        let woken = fixture.apply(cancel());
        // Cancelling is the only way out of the pause, and it does not reset the counts.
        assert_eq!(counts(&mut fixture, created), (0, 1, 1));
        assert_eq!(cancels(&mut fixture, created), 1);
        fixture.apply(failed(attempt(created, woken), AfterFailure::Pause));
        let row = fixture.tables().invocation(created).unwrap();
        assert_eq!(row.status.kind(), StatusKind::Paused);
    }
}

#[test]
fn logs_of_format_2_cancel_as_they_did() {
    let mut fixture = Fixture::single();
    fixture.rules = Rules::V2;
    let created = fixture.apply(invoked(call(1)));
    let at_ms = fail(&mut fixture, attempt(created, created), FAILED);
    fixture.effects();
    fixture.apply(cancel());
    fixture.apply(cancel());
    assert_eq!(fixture.effects(), "answer 9 Requested\nanswer 9 Requested", "it backs off");
    assert_eq!(cancels(&mut fixture, created), 2);
    fixture.now_ms = at_ms;
    let second = fixture.apply(timer(at_ms, created, 0));
    fixture.apply(failed(attempt(created, second), AfterFailure::Pause));
    assert_eq!(counts(&mut fixture, created).1, 1);
    fixture.apply(cancel());
    assert_eq!(counts(&mut fixture, created).1, 0);
    // The current rules do not know of the cancellations stored under format 2, so the next one is
    // stored.
    fixture.apply(failed(attempt(created, Lsn(fixture.applied)), FAILED));
    fixture.rules = Rules::CURRENT;
    fixture.effects();
    fixture.apply(cancel());
    assert!(fixture.effects().starts_with("start 1@"));
}
