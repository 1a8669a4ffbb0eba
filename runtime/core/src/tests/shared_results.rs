//! A result that many wait for is passed on to a few of them at a time, and to all of them.

use bytes::Bytes;
use protocol::{
    HandlerKind,
    journal::{Command, InvocationTarget},
};

use super::support::*;
use crate::{
    event::{Event, Rules},
    invariants,
    model::{ids::Lsn, invocation::Retention},
    obligations,
};

/// How many invocations an event has told a result.
fn told(fixture: &mut Fixture, event: Event) -> usize {
    fixture.effects();
    fixture.apply(event);
    assert_eq!(invariants::check(&fixture.tables()), Ok(()));
    let is_told = |line: &&str| {
        ["AttachInvocation", "GetInvocationOutput", "GetPromise"]
            .iter()
            .any(|kind| line.contains(kind))
    };
    fixture.effects().lines().filter(is_told).count()
}

/// An invocation whose result three others wait for. Returns the event that ends it.
fn awaited(fixture: &mut Fixture, retention: Retention, result: Bytes) -> Event {
    let mut invoke = call(1);
    invoke.retention = retention;
    let target = fixture.apply(invoked(invoke));
    for n in 2..=4 {
        let waiter = fixture.apply(invoked(call(n)));
        let target = InvocationTarget::Id(id(1).to_string());
        let attach = Command::AttachInvocation { target, completion: 1 };
        fixture.apply(command(attempt(waiter, waiter), attach));
    }
    let name = attempt(target, target);
    fixture.apply(command(name, Command::Output { result: Ok(result) }));
    ended(name)
}

fn due(fixture: &mut Fixture) -> Vec<Lsn> {
    obligations::results(&fixture.tables())
}

#[test]
fn a_small_result_is_passed_on_at_once() {
    let mut fixture = Fixture::single();
    let end = awaited(&mut fixture, Retention::default(), Bytes::from("x"));
    assert_eq!((told(&mut fixture, end), due(&mut fixture)), (3, vec![]));
}

/// Even if the invocation is removed as soon as it has ended.
#[test]
fn a_large_result_is_passed_on_in_several_records() {
    let retention = Retention { completion_ms: 1000, journal_ms: 1000 };
    for retention in [retention, Retention { completion_ms: 0, journal_ms: 0 }] {
        let mut fixture = Fixture::single();
        let end = awaited(&mut fixture, retention, large());
        assert_eq!(told(&mut fixture, end), 1);
        assert_eq!(fixture.tables().invocation(Lsn(1)).is_some(), retention.completion_ms > 0);
        fixture.checkpoint();
        for left in [1, 0] {
            assert_eq!(due(&mut fixture), [Lsn(1)]);
            assert_eq!(told(&mut fixture, Event::ResultDue { of: Lsn(1) }), 1);
            assert_eq!(due(&mut fixture).len(), left);
        }
        assert_eq!(told(&mut fixture, Event::ResultDue { of: Lsn(1) }), 0, "they have it");
    }
}

#[test]
fn nobody_is_told_a_huge_result_in_the_record_that_stores_it() {
    let mut fixture = Fixture::single();
    let end = awaited(&mut fixture, Retention::default(), Bytes::from(vec![7; 2 << 20]));
    assert_eq!(told(&mut fixture, end), 0);
    for _ in 0..3 {
        assert_eq!(told(&mut fixture, Event::ResultDue { of: Lsn(1) }), 1, "one after the other");
    }
    assert!(due(&mut fixture).is_empty());
}

/// However many ask for it: their requests are small, and so is what each of them adds.
#[test]
fn a_huge_result_that_is_there_already_is_passed_on_later() {
    let mut fixture = Fixture::single();
    let retention = Retention { completion_ms: 1000, journal_ms: 1000 };
    let end = awaited(&mut fixture, retention, Bytes::from(vec![7; 2 << 20]));
    fixture.apply(end);
    while let [of] = due(&mut fixture)[..] {
        fixture.apply(Event::ResultDue { of });
    }
    fixture.checkpoint();
    for wait in [true, false] {
        let target = InvocationTarget::Id(id(1).to_string());
        let command = if wait {
            Command::AttachInvocation { target, completion: 2 }
        } else {
            Command::GetInvocationOutput { target, completion: 3 }
        };
        let asks = attempt(Lsn(2), Lsn(2));
        assert_eq!(told(&mut fixture, super::support::command(asks, command)), 0);
    }
    assert!(fixture.live.size_bytes() < 10_000, "{} bytes", fixture.live.size_bytes());
    assert_eq!(due(&mut fixture), [Lsn(1)]);
    // It is removed before they have it.
    fixture
        .apply(Event::PurgeRequested { request: crate::model::ids::RequestId(1), target: id(1) });
    assert!(fixture.tables().invocation(Lsn(1)).is_none());
    assert_eq!([0, 1].map(|_| told(&mut fixture, Event::ResultDue { of: Lsn(1) })), [1, 1]);
    assert!(due(&mut fixture).is_empty());
}

#[test]
fn a_waiter_that_has_ended_is_passed_over() {
    let mut fixture = Fixture::single();
    let end = awaited(&mut fixture, Retention { completion_ms: 1000, journal_ms: 0 }, large());
    assert_eq!(told(&mut fixture, end), 1);
    let rest = [3, 4].map(|n| fixture.tables().invocation_lsn(id(n)).unwrap());
    for waiter in rest {
        fixture.apply(output(attempt(waiter, waiter), "x"));
        fixture.apply(ended(attempt(waiter, waiter)));
    }
    assert_eq!(told(&mut fixture, Event::ResultDue { of: Lsn(1) }), 0);
    assert!(due(&mut fixture).is_empty());
}

#[test]
fn a_large_promise_is_passed_on_in_several_records() {
    let mut fixture = Fixture::single();
    for n in 1..=3 {
        let mut waiting = call_workflow(n, "o-1");
        if n > 1 {
            waiting.handler_kind = HandlerKind::Shared;
        }
        let lsn = fixture.apply(invoked(waiting));
        let get = Command::GetPromise { key: "p".into(), completion: 1 };
        fixture.apply(command(attempt(lsn, lsn), get));
    }
    let mut shared = call_workflow(4, "o-1");
    shared.handler_kind = HandlerKind::Shared;
    let lsn = fixture.apply(invoked(shared));
    let complete = Command::CompletePromise { key: "p".into(), result: Ok(large()), completion: 1 };
    assert_eq!(told(&mut fixture, command(attempt(lsn, lsn), complete)), 1);
    let [of] = due(&mut fixture)[..] else { panic!("one result is due") };
    assert_eq!([0, 1].map(|_| told(&mut fixture, Event::ResultDue { of })), [1, 1]);
    assert!(due(&mut fixture).is_empty());
}

/// What an older version has written is folded as it was.
#[test]
fn under_older_rules_all_are_told_in_one_record() {
    let mut fixture = Fixture::single();
    fixture.rules = Rules::V4;
    let end = awaited(&mut fixture, Retention::default(), Bytes::from(vec![7; 2 << 20]));
    assert_eq!((told(&mut fixture, end), due(&mut fixture)), (3, vec![]));
}

/// Its attempt waits until there is memory for the journal.
#[test]
fn an_invocation_with_a_large_journal_is_offered() {
    let mut fixture = Fixture::single();
    let lsn = fixture.apply(invoked(call(1)));
    let name = attempt(lsn, lsn);
    fixture.apply(command(name, Command::Run { completion: 1 }));
    fixture.apply(suspended(name, 1, 2));
    fixture.effects();
    let result = protocol::journal::NotificationResult::Value(large());
    let signal = protocol::journal::notification::SignalId::Index(17);
    fixture.apply(Event::SignalReceived { target: id(1), signal, result });
    let retried = fixture
        .apply(Event::CancelRequested { request: crate::model::ids::RequestId(1), target: id(1) });
    let effects = fixture.effects();
    assert!(effects.contains(&format!("offer {}@{}", lsn.0, retried.0)), "{effects}");
    assert!(!effects.contains("start"), "{effects}");
}
