//! What is kept, for how long, and what is removed when the space budget is exceeded.

use bytes::Bytes;
use protocol::journal::{Command, NamedCommand};

use super::support::*;
use crate::{
    event::{Event, Rules},
    model::{
        ids::Lsn,
        invocation::{Invoke, Retention},
    },
    tables::expiry::Retained,
};

const DAY_MS: u64 = 24 * 3_600_000;

fn cleanup(budget_bytes: u64, limit: u32) -> Event {
    Event::CleanupDue { budget_bytes, limit }
}

/// Runs an invocation to completion.
fn finished(world: &mut World, invoke: Invoke) -> Lsn {
    let created = world.apply(invoked(invoke));
    let name = attempt(created, created);
    world.apply(output(name, "result"));
    world.apply(ended(name));
    created
}

/// An invocation with an input of `bytes` bytes, kept for a day.
fn kept(n: u128, bytes: usize) -> Invoke {
    let value = Bytes::from(vec![b'x'; bytes]);
    let input = NamedCommand::from(Command::Input { headers: Vec::new(), value });
    Invoke {
        input: protocol::wire::command::encode(&input, protocol::ProtocolVersion::MAX),
        retention: Retention { completion_ms: DAY_MS, journal_ms: DAY_MS },
        ..call(n)
    }
}

fn promised(n: u128, bytes: usize) -> Invoke {
    Invoke { idempotency_key: Some(n.to_string()), ..kept(n, bytes) }
}

fn has_journal(world: &mut World, lsn: Lsn) -> Option<bool> {
    world.tables().invocation(lsn).map(|row| row.journal_len > 0)
}

#[test]
fn what_a_key_or_a_workflow_promises_goes_at_its_time_and_not_before() {
    let mut world = World::single();
    let keyed = finished(&mut world, promised(1, 1000));
    let mut workflow = call_workflow(2, "w");
    workflow.retention = Retention { completion_ms: DAY_MS, journal_ms: DAY_MS };
    let workflow = finished(&mut world, workflow);
    let plain = finished(&mut world, kept(3, 1000));
    let held = world.tables().retained().bytes;
    for _ in 0..10 {
        world.apply(cleanup(0, 10));
    }
    assert_eq!(has_journal(&mut world, keyed), Some(false), "its input may go, its result not");
    assert_eq!(has_journal(&mut world, workflow), Some(false));
    assert_eq!(has_journal(&mut world, plain), None, "nobody was promised this one");
    let left = world.tables().retained();
    assert!(left.bytes < held && left.bytes > 0);
    assert!(!left.may_shrink, "a shell that looks has nothing to propose");
    // Repeating the request returns the stored result.
    world.effects();
    world.apply(invoked(promised(1, 1000)));
    assert_eq!(world.effects(), "answer 1 stored Ok(b\"result\")");
    world.now_ms += DAY_MS;
    world.apply(cleanup(0, 10));
    assert_eq!(world.tables().retained(), Retained { bytes: 0, may_shrink: false });
    assert_eq!(has_journal(&mut world, keyed), None);
}

#[test]
fn journals_go_first_and_then_plain_invocations_oldest_first() {
    let mut world = World::single();
    let all: Vec<Lsn> = (1..=4)
        .map(|n| finished(&mut world, if n == 2 { promised(n, 1000) } else { kept(n, 1000) }))
        .collect();
    let mut seen = Vec::new();
    for _ in 0..8 {
        world.apply(cleanup(0, 1));
        seen.push(all.iter().map(|lsn| has_journal(&mut world, *lsn)).collect::<Vec<_>>());
    }
    let (whole, bare, gone) = (Some(true), Some(false), None);
    assert_eq!(
        seen,
        [
            [bare, whole, whole, whole],
            [bare, bare, whole, whole],
            [bare, bare, bare, whole],
            [bare, bare, bare, bare],
            [gone, bare, bare, bare],
            [gone, bare, gone, bare],
            [gone, bare, gone, gone],
            [gone, bare, gone, gone],
        ]
    );
}

#[test]
fn nothing_goes_before_room_is_short_and_no_more_than_that() {
    let mut world = World::single();
    let first = finished(&mut world, kept(1, 1000));
    let second = finished(&mut world, kept(2, 1000));
    let held = world.tables().retained().bytes;
    world.apply(cleanup(held, 10));
    assert_eq!(world.tables().retained().bytes, held);
    world.apply(cleanup(held - 1, 10));
    assert_eq!(has_journal(&mut world, first), Some(false));
    assert_eq!(has_journal(&mut world, second), Some(true));
}

#[test]
fn a_result_counts_and_what_was_counted_is_given_back() {
    let mut world = World::single();
    let created = world.apply(invoked(promised(1, 10)));
    let name = attempt(created, created);
    let result = Bytes::from(vec![b'x'; 5_000_000]);
    world.apply(command(name, Command::Output { result: Ok(result) }));
    world.apply(ended(name));
    world.apply(cleanup(0, 10));
    let left = world.tables().retained();
    assert!(left.bytes > 5_000_000, "the budget knows of large results: {left:?}");
    world.now_ms += DAY_MS;
    world.apply(cleanup(u64::MAX, 10));
    assert_eq!(world.tables().retained().bytes, 0);
}

#[test]
fn a_journal_that_ends_by_time_makes_way_for_the_rest_to_go_early() {
    let mut world = World::single();
    let mut invoke = kept(1, 100);
    invoke.retention.journal_ms = 1000;
    let lsn = finished(&mut world, invoke);
    world.checkpoint();
    world.now_ms += 1000;
    world.apply(cleanup(u64::MAX, 10));
    assert_eq!(has_journal(&mut world, lsn), Some(false));
    world.apply(cleanup(0, 10));
    assert_eq!(has_journal(&mut world, lsn), None);
    world.checkpoint();
    assert_eq!(world.base.0.len(), 1, "the meta row alone: {:?}", world.base.0);
}

#[test]
fn what_format_1_has_finished_goes_at_its_time() {
    let mut world = World::single();
    world.rules = Rules::V1;
    let old = finished(&mut world, kept(1, 1000));
    world.checkpoint();
    world.rules = Rules::V2;
    world.apply(cleanup(0, 10));
    assert_eq!(has_journal(&mut world, old), Some(true), "it has no row that says it may go early");
    assert!(!world.tables().retained().may_shrink);
    world.now_ms += DAY_MS;
    world.apply(cleanup(u64::MAX, 10));
    assert_eq!(world.tables().retained().bytes, 0);
    world.checkpoint();
    assert_eq!(world.base.0.len(), 1, "the meta row alone: {:?}", world.base.0);
}

#[test]
#[should_panic(expected = "are given back, but only 0 are taken")]
fn an_account_that_does_not_add_up_stops() {
    let mut world = World::single();
    finished(&mut world, kept(1, 10));
    world.tables().meta_mut().retained_bytes = 0;
    world.now_ms += DAY_MS;
    world.apply(cleanup(0, 10));
}
