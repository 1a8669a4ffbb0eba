//! Signals and awakeables: which ones wake an invocation, which ones are kept, and how many a
//! journal can hold.

use bytes::Bytes;
use protocol::{
    TerminalFailure,
    journal::{
        Awaiting, Combinator, Command, NotificationId, NotificationResult, notification::SignalId,
    },
};

use super::support::*;
use crate::{
    event::{Event, Rules},
    model::ids::{Lsn, RequestId},
};

fn value(bytes: usize) -> NotificationResult {
    NotificationResult::Value(vec![b'x'; bytes].into())
}

fn failure() -> NotificationResult {
    NotificationResult::Failure(TerminalFailure::new(500, "no"))
}

fn signal(target: u128, signal: SignalId, result: NotificationResult) -> Event {
    Event::SignalRequested { request: RequestId(7), target: id(target), signal, result }
}

fn named(name: &str) -> SignalId {
    SignalId::Name(name.to_owned())
}

/// Suspends invocation 1 until "go" or "other" succeeds, or both fail.
fn wait_for_success(fixture: &mut Fixture) {
    let created = fixture.apply(invoked(call(1)));
    let leaves = vec![NotificationId::Signal(named("go")), NotificationId::Signal(named("other"))];
    let awaiting = Awaiting::node(Combinator::FirstSucceededOrAllFailed, leaves, Vec::new());
    fixture.apply(Event::AttemptSuspended {
        attempt: attempt(created, created),
        awaiting,
        seen: 1,
    });
    fixture.effects();
}

#[test]
fn two_unseen_deliveries_of_one_signal_wake_a_wait_for_either() {
    // A success and a failure, both before the suspension and so unseen.
    for results in [[value(1), failure()], [failure(), value(1)]] {
        let mut fixture = Fixture::single();
        let created = fixture.apply(invoked(call(1)));
        for result in results {
            fixture.apply(signal(1, named("go"), result));
        }
        fixture.effects();
        let leaves = vec![NotificationId::Signal(named("go"))];
        let all = Awaiting::node(Combinator::AllSucceededOrFirstFailed, leaves, Vec::new());
        let other = vec![NotificationId::Completion(9)];
        for combinator in [Combinator::AllCompleted, Combinator::FirstSucceededOrAllFailed] {
            let mut fixture = Fixture {
                live: fixture.live.clone(),
                base: fixture.base.clone(),
                ..world_like(&fixture)
            };
            let awaiting = Awaiting::node(combinator, other.clone(), vec![all.clone()]);
            let name = attempt(created, created);
            fixture.apply(Event::AttemptSuspended { attempt: name, awaiting, seen: 1 });
            assert!(fixture.effects().starts_with("start 1@4"), "{combinator:?}");
        }
    }
}

fn world_like(fixture: &Fixture) -> Fixture {
    Fixture { applied: fixture.applied, now_ms: fixture.now_ms, ..Fixture::single() }
}

#[test]
fn an_earlier_success_is_not_hidden_by_a_later_failure() {
    let mut fixture = Fixture::single();
    wait_for_success(&mut fixture);
    fixture.apply(signal(1, named("go"), failure()));
    assert_eq!(fixture.effects(), "answer 7 Stored", "the other may still succeed");
    fixture.apply(signal(1, named("go"), value(1)));
    assert_eq!(
        fixture.effects(),
        "start 1@4 Greeter/greet entries=3 state=[] retries=0\nanswer 7 Stored"
    );
}

#[test]
fn deliveries_of_format_1_are_remembered_and_added_to() {
    let mut fixture = Fixture::single();
    fixture.rules = Rules::V1;
    let created = fixture.apply(invoked(call(1)));
    fixture.apply(signal(1, named("go"), failure()));
    fixture.checkpoint();
    fixture.rules = Rules::V2;
    fixture.apply(signal(1, named("go"), value(1)));
    fixture.effects();
    let awaiting = Awaiting::any_of(vec![NotificationId::Signal(named("go"))]);
    fixture.apply(Event::AttemptSuspended {
        attempt: attempt(created, created),
        awaiting,
        seen: 2,
    });
    assert!(fixture.effects().starts_with("start 1@4"), "the second one is news");
}

#[test]
fn an_awakeable_is_completed_once_and_every_asker_has_an_answer() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    fixture.effects();
    fixture.apply(signal(1, SignalId::Index(17), value(1)));
    assert_eq!(fixture.effects(), "notify 1@1 [1] Signal s17\nanswer 7 Stored");
    fixture.apply(signal(1, SignalId::Index(17), failure()));
    assert_eq!(fixture.effects(), "answer 7 AlreadyCompleted");
    fixture.apply(signal(2, SignalId::Index(17), value(1)));
    assert_eq!(fixture.effects(), "answer 7 NotFound");
    let name = attempt(created, created);
    fixture.apply(output(name, "x"));
    fixture.apply(ended(name));
    fixture.effects();
    fixture.apply(signal(1, SignalId::Index(18), value(1)));
    assert_eq!(fixture.effects(), "answer 7 AlreadyCompleted");
    // A named signal can be sent many times.
    let mut fixture = Fixture::single();
    fixture.apply(invoked(call(1)));
    fixture.apply(signal(1, named("go"), value(1)));
    fixture.apply(signal(1, named("go"), value(1)));
    assert_eq!(fixture.tables().invocation(Lsn(1)).unwrap().journal_len, 3);
}

#[test]
fn format_1_journals_each_completion_of_an_awakeable() {
    let mut fixture = Fixture::single();
    fixture.rules = Rules::V1;
    fixture.apply(invoked(call(1)));
    fixture.apply(signal(1, SignalId::Index(17), value(1)));
    fixture.apply(signal(1, SignalId::Index(17), value(1)));
    assert_eq!(fixture.tables().invocation(Lsn(1)).unwrap().journal_len, 3);
}

#[test]
fn a_journal_takes_a_bounded_number_of_bytes_from_outside() {
    let mut fixture = Fixture::single();
    fixture.apply(invoked(call(1)));
    fixture.effects();
    let large = value(32 << 20);
    for n in 0..4 {
        fixture.apply(signal(1, SignalId::Index(17 + n), large.clone()));
        assert!(fixture.effects().ends_with("answer 7 Stored"), "{n}");
    }
    fixture.apply(signal(1, SignalId::Index(30), value(1)));
    let refused = "answer 7 JournalFull { entries_max: 65536, bytes_max: 134217728 }";
    assert_eq!(fixture.effects(), refused);
    // It can still be cancelled, and signals from other invocations are limited, too.
    fixture.apply(Event::CancelRequested { request: RequestId(8), target: id(1) });
    assert_eq!(fixture.effects(), "notify 1@1 [5] Signal s1\nanswer 8 Requested");
    let sender = fixture.apply(invoked(call(2)));
    let send = Command::SendSignal {
        target: id(1).to_string(),
        signal: named("go"),
        result: NotificationResult::Value(Bytes::from("x")),
    };
    fixture.apply(command(attempt(sender, sender), send));
    assert_eq!(fixture.tables().invocation(Lsn(1)).unwrap().journal_len, 6);
}

#[test]
fn a_journal_takes_a_bounded_number_of_signals() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let name = || signal(1, named("tick"), NotificationResult::Void);
    for _ in 0..1 << 16 {
        fixture.apply(name());
    }
    fixture.effects();
    fixture.apply(name());
    assert!(fixture.effects().starts_with("answer 7 JournalFull"));
    let cancel = || Event::CancelRequested { request: RequestId(8), target: id(1) };
    for _ in 0..1 << 10 {
        fixture.apply(cancel());
    }
    fixture.effects();
    fixture.apply(cancel());
    assert_eq!(fixture.effects(), "answer 8 Requested", "it has been told");
    let name = attempt(created, created);
    fixture.apply(output(name, "x"));
    fixture.apply(ended(name));
    let signals = crate::tables::Table::Signal.key().done();
    assert!(fixture.tables().scan(&signals, &signals, 1).is_empty(), "nothing stays behind");
}
