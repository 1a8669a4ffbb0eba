//! The cost of a wide wait is proportional to its width, whatever the shape of its tree. The tests
//! count the work on rows; none of them measures time.

use protocol::journal::{Awaiting, Combinator, NotificationId, NotificationResult};

use super::support::*;
use crate::{
    event::Event,
    model::ids::{AttemptRef, Lsn, RequestId},
    tables::meter,
    time::Timestamp,
};

/// How many timers fire per batch.
const BATCH: usize = 1024;

fn leaves(ids: std::ops::RangeInclusive<u32>) -> Vec<NotificationId> {
    ids.map(NotificationId::Completion).collect()
}

fn all(width: u32) -> Awaiting {
    Awaiting::node(Combinator::AllCompleted, leaves(1..=width), Vec::new())
}

/// A race that only the last leaf can decide: each branch needs both of its leaves, and all
/// branches share the leaf that completes last.
fn first_of_pairs(width: u32) -> Awaiting {
    let pair = |n| {
        let leaves = vec![NotificationId::Completion(n), NotificationId::Completion(width)];
        Awaiting::node(Combinator::AllCompleted, leaves, Vec::new())
    };
    Awaiting::node(Combinator::FirstCompleted, Vec::new(), (1..width).map(pair).collect())
}

/// A chain of nodes, each of which waits for a share of the leaves and for the next node.
fn nested(width: u32) -> Awaiting {
    let share = 8;
    let mut tree = Awaiting::node(Combinator::AllCompleted, leaves(1..=share), Vec::new());
    for from in (share + 1..=width).step_by(share as usize) {
        let own = leaves(from..=(from + share - 1).min(width));
        tree = Awaiting::node(Combinator::AllSucceededOrFirstFailed, own, vec![tree]);
    }
    tree
}

fn signalled(width: u32) -> Awaiting {
    let signals = (17..17 + width).map(protocol::journal::notification::SignalId::Index);
    let leaves = signals.map(NotificationId::Signal).collect();
    Awaiting::node(Combinator::AllCompleted, leaves, Vec::new())
}

fn suspend(fixture: &mut Fixture, name: AttemptRef, awaiting: Awaiting, seen: u32) {
    fixture.apply(Event::AttemptSuspended { attempt: name, awaiting, seen });
}

/// The work of a number of sleeps, which end one after another or all at once, and of one
/// suspension on all of them.
fn work_of_sleeps(width: u32, tree: fn(u32) -> Awaiting, step_ms: u64, checkpoints: bool) -> usize {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let name = attempt(created, created);
    meter::take();
    for completion in 1..=width {
        let at_ms = 1_000_000 + step_ms * u64::from(completion);
        fixture.apply(command(name, sleep(at_ms, completion)));
    }
    suspend(&mut fixture, name, tree(width), width + 1);
    fixture.effects.clear();
    if checkpoints {
        fixture.checkpoint();
    }
    fixture.now_ms = 100_000_000;
    let mut fired = 0;
    loop {
        let until = Timestamp(fixture.now_ms);
        let due = fixture.tables().timers_due(Timestamp(0), until, BATCH);
        if due.is_empty() {
            break;
        }
        fired += due.len();
        fixture.tables().next_timer(due.last().unwrap().at);
        due.into_iter().for_each(|timer| _ = fixture.apply(Event::TimerFired { timer }));
    }
    assert_eq!(fired, width as usize);
    let started = fixture.effects();
    assert!(started.contains("offer 1@"), "{started}");
    assert_eq!(started.lines().filter(|line| line.starts_with("offer")).count(), 1);
    finish(&mut fixture, created);
    meter::take()
}

fn finish(fixture: &mut Fixture, created: Lsn) {
    fixture.apply(Event::KillRequested { request: RequestId(5), target: id(1) });
    assert!(fixture.effects().contains("failed 409 killed"));
    fixture.now_ms += 100_000;
    fixture.apply(Event::CleanupDue { budget_bytes: u64::MAX, limit: 10 });
    assert!(fixture.tables().invocation(created).is_none());
}

fn assert_linear(what: &str, work: impl Fn(u32) -> usize) {
    let (half, whole) = (work(4000), work(8000));
    assert!(whole < half * 9 / 4, "{what}: {half} for 4000, {whole} for 8000");
    assert!(whole < 8000 * 60, "{what}: {whole} for 8000");
}

#[test]
fn a_joined_sleep_costs_the_same_in_a_wide_join() {
    assert_linear("all", |width| work_of_sleeps(width, all, 1, false));
    assert_linear("first of pairs", |width| work_of_sleeps(width, first_of_pairs, 1, false));
    assert_linear("nested", |width| work_of_sleeps(width, nested, 1, false));
}

#[test]
fn timers_that_fire_in_batches_are_not_looked_for_behind_those_that_fired() {
    // Their rows are in the base, so that each one leaves a tombstone in the overlay.
    assert_linear("one time", |width| work_of_sleeps(width, all, 0, true));
    assert_linear("many times", |width| work_of_sleeps(width, all, 1, true));
}

#[test]
fn awakeables_and_a_promise_with_many_waiters_are_no_wider() {
    assert_linear("awakeables", |width| {
        let mut fixture = Fixture::single();
        let created = fixture.apply(invoked(call(1)));
        suspend(&mut fixture, attempt(created, created), signalled(width), 1);
        fixture.effects.clear();
        meter::take();
        for index in 17..17 + width {
            let signal = protocol::journal::notification::SignalId::Index(index);
            let (request, target) = (RequestId(1), id(1));
            let result = NotificationResult::Void;
            fixture.apply(Event::SignalRequested { request, target, signal, result });
        }
        assert_eq!(fixture.effects().matches("offer 1@").count(), 1);
        finish(&mut fixture, created);
        meter::take()
    });
}

#[test]
fn messages_that_are_acknowledged_one_by_one_are_not_looked_for_again() {
    let work = |count: u64| {
        let mut fixture = Fixture::new(0, 2);
        let mut far = id(9);
        far.partition_key = protocol::PartitionKey(u64::MAX);
        let created = fixture.apply(invoked(call(1)));
        for _ in 0..count {
            let send = protocol::journal::Command::SendSignal {
                target: far.to_string(),
                signal: protocol::journal::notification::SignalId::Index(17),
                result: NotificationResult::Void,
            };
            fixture.apply(command(attempt(created, created), send));
        }
        fixture.checkpoint();
        meter::take();
        for sequence in 1..=count {
            let by = crate::PartitionId(1);
            fixture.apply(Event::MessagesAcknowledged { by, sequence });
        }
        meter::take()
    };
    let (half, whole) = (work(1000), work(2000));
    assert!(whole < half * 9 / 4, "{half} for 1000, {whole} for 2000");
}
