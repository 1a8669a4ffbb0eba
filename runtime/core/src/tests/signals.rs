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
fn wait_for_success(world: &mut World) {
    let created = world.apply(invoked(call(1)));
    let leaves = vec![NotificationId::Signal(named("go")), NotificationId::Signal(named("other"))];
    let awaiting = Awaiting::node(Combinator::FirstSucceededOrAllFailed, leaves, Vec::new());
    world.apply(Event::AttemptSuspended { attempt: attempt(created, created), awaiting, seen: 1 });
    world.effects();
}

#[test]
fn two_unseen_deliveries_of_one_signal_wake_whoever_waits_for_either() {
    // A success and a failure, both before the suspension and so unseen.
    for results in [[value(1), failure()], [failure(), value(1)]] {
        let mut world = World::single();
        let created = world.apply(invoked(call(1)));
        for result in results {
            world.apply(signal(1, named("go"), result));
        }
        world.effects();
        let leaves = vec![NotificationId::Signal(named("go"))];
        let all = Awaiting::node(Combinator::AllSucceededOrFirstFailed, leaves, Vec::new());
        let other = vec![NotificationId::Completion(9)];
        for combinator in [Combinator::AllCompleted, Combinator::FirstSucceededOrAllFailed] {
            let mut world =
                World { live: world.live.clone(), base: world.base.clone(), ..world_like(&world) };
            let awaiting = Awaiting::node(combinator, other.clone(), vec![all.clone()]);
            let name = attempt(created, created);
            world.apply(Event::AttemptSuspended { attempt: name, awaiting, seen: 1 });
            assert!(world.effects().starts_with("start 1@4"), "{combinator:?}");
        }
    }
}

fn world_like(world: &World) -> World {
    World { applied: world.applied, now_ms: world.now_ms, ..World::single() }
}

#[test]
fn an_earlier_success_is_not_hidden_by_a_later_failure() {
    let mut world = World::single();
    wait_for_success(&mut world);
    world.apply(signal(1, named("go"), failure()));
    assert_eq!(world.effects(), "answer 7 Stored", "the other may still succeed");
    world.apply(signal(1, named("go"), value(1)));
    assert_eq!(
        world.effects(),
        "start 1@4 Greeter/greet entries=3 state=[] retries=0\nanswer 7 Stored"
    );
}

#[test]
fn deliveries_of_format_1_are_remembered_and_added_to() {
    let mut world = World::single();
    world.rules = Rules::V1;
    let created = world.apply(invoked(call(1)));
    world.apply(signal(1, named("go"), failure()));
    world.checkpoint();
    world.rules = Rules::V2;
    world.apply(signal(1, named("go"), value(1)));
    world.effects();
    let awaiting = Awaiting::any_of(vec![NotificationId::Signal(named("go"))]);
    world.apply(Event::AttemptSuspended { attempt: attempt(created, created), awaiting, seen: 2 });
    assert!(world.effects().starts_with("start 1@4"), "the second one is news");
}

#[test]
fn an_awakeable_is_completed_once_and_every_asker_has_an_answer() {
    let mut world = World::single();
    let created = world.apply(invoked(call(1)));
    world.effects();
    world.apply(signal(1, SignalId::Index(17), value(1)));
    assert_eq!(world.effects(), "notify 1@1 [1] Signal s17\nanswer 7 Stored");
    world.apply(signal(1, SignalId::Index(17), failure()));
    assert_eq!(world.effects(), "answer 7 AlreadyCompleted");
    world.apply(signal(2, SignalId::Index(17), value(1)));
    assert_eq!(world.effects(), "answer 7 NotFound");
    let name = attempt(created, created);
    world.apply(output(name, "x"));
    world.apply(ended(name));
    world.effects();
    world.apply(signal(1, SignalId::Index(18), value(1)));
    assert_eq!(world.effects(), "answer 7 AlreadyCompleted");
    // A named signal can be sent many times.
    let mut world = World::single();
    world.apply(invoked(call(1)));
    world.apply(signal(1, named("go"), value(1)));
    world.apply(signal(1, named("go"), value(1)));
    assert_eq!(world.tables().invocation(Lsn(1)).unwrap().journal_len, 3);
}

#[test]
fn format_1_journals_each_completion_of_an_awakeable() {
    let mut world = World::single();
    world.rules = Rules::V1;
    world.apply(invoked(call(1)));
    world.apply(signal(1, SignalId::Index(17), value(1)));
    world.apply(signal(1, SignalId::Index(17), value(1)));
    assert_eq!(world.tables().invocation(Lsn(1)).unwrap().journal_len, 3);
}

#[test]
fn a_journal_takes_a_bounded_number_of_bytes_from_outside() {
    let mut world = World::single();
    world.apply(invoked(call(1)));
    world.effects();
    let large = value(32 << 20);
    for n in 0..4 {
        world.apply(signal(1, SignalId::Index(17 + n), large.clone()));
        assert!(world.effects().ends_with("answer 7 Stored"), "{n}");
    }
    world.apply(signal(1, SignalId::Index(30), value(1)));
    let refused = "answer 7 JournalFull { entries_max: 65536, bytes_max: 134217728 }";
    assert_eq!(world.effects(), refused);
    // It can still be cancelled, and signals from other invocations are limited, too.
    world.apply(Event::CancelRequested { request: RequestId(8), target: id(1) });
    assert_eq!(world.effects(), "notify 1@1 [5] Signal s1\nanswer 8 Signalled");
    let sender = world.apply(invoked(call(2)));
    let send = Command::SendSignal {
        target: id(1).to_string(),
        signal: named("go"),
        result: NotificationResult::Value(Bytes::from("x")),
    };
    world.apply(command(attempt(sender, sender), send));
    assert_eq!(world.tables().invocation(Lsn(1)).unwrap().journal_len, 6);
}

#[test]
fn a_journal_takes_a_bounded_number_of_signals() {
    let mut world = World::single();
    let created = world.apply(invoked(call(1)));
    let name = || signal(1, named("tick"), NotificationResult::Void);
    for _ in 0..1 << 16 {
        world.apply(name());
    }
    world.effects();
    world.apply(name());
    assert!(world.effects().starts_with("answer 7 JournalFull"));
    let cancel = || Event::CancelRequested { request: RequestId(8), target: id(1) };
    for _ in 0..1 << 10 {
        world.apply(cancel());
    }
    world.effects();
    world.apply(cancel());
    assert_eq!(world.effects(), "answer 8 Signalled", "it has been told");
    let name = attempt(created, created);
    world.apply(output(name, "x"));
    world.apply(ended(name));
    let signals = crate::tables::Table::Signal.key().done();
    assert!(world.tables().scan(&signals, &signals, 1).is_empty(), "nothing stays behind");
}
