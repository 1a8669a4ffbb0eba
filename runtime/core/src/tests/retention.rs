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
fn finished(fixture: &mut Fixture, invoke: Invoke) -> Lsn {
    let created = fixture.apply(invoked(invoke));
    let name = attempt(created, created);
    fixture.apply(output(name, "result"));
    fixture.apply(ended(name));
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

fn has_journal(fixture: &mut Fixture, lsn: Lsn) -> Option<bool> {
    fixture.tables().invocation(lsn).map(|row| row.journal_len > 0)
}

#[test]
fn what_a_key_or_a_workflow_promises_goes_at_its_time_and_not_before() {
    let mut fixture = Fixture::single();
    let keyed = finished(&mut fixture, promised(1, 1000));
    let mut workflow = call_workflow(2, "w");
    workflow.retention = Retention { completion_ms: DAY_MS, journal_ms: DAY_MS };
    let workflow = finished(&mut fixture, workflow);
    let plain = finished(&mut fixture, kept(3, 1000));
    let held = fixture.tables().retained().bytes;
    for _ in 0..10 {
        fixture.apply(cleanup(0, 10));
    }
    assert_eq!(has_journal(&mut fixture, keyed), Some(false), "its input may go, its result not");
    assert_eq!(has_journal(&mut fixture, workflow), Some(false));
    assert_eq!(has_journal(&mut fixture, plain), None, "nobody was promised this one");
    let left = fixture.tables().retained();
    assert!(left.bytes < held && left.bytes > 0);
    assert!(!left.may_shrink, "a shell that looks has nothing to propose");
    // Repeating the request returns the stored result.
    fixture.effects();
    fixture.apply(invoked(promised(1, 1000)));
    assert_eq!(fixture.effects(), "answer 1 stored Ok(b\"result\")");
    fixture.now_ms += DAY_MS;
    fixture.apply(cleanup(0, 10));
    assert_eq!(fixture.tables().retained(), Retained { bytes: 0, may_shrink: false });
    assert_eq!(has_journal(&mut fixture, keyed), None);
}

#[test]
fn journals_go_first_and_then_plain_invocations_oldest_first() {
    let mut fixture = Fixture::single();
    let all: Vec<Lsn> = (1..=4)
        .map(|n| finished(&mut fixture, if n == 2 { promised(n, 1000) } else { kept(n, 1000) }))
        .collect();
    let mut seen = Vec::new();
    for _ in 0..8 {
        fixture.apply(cleanup(0, 1));
        seen.push(all.iter().map(|lsn| has_journal(&mut fixture, *lsn)).collect::<Vec<_>>());
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
    let mut fixture = Fixture::single();
    let first = finished(&mut fixture, kept(1, 1000));
    let second = finished(&mut fixture, kept(2, 1000));
    let held = fixture.tables().retained().bytes;
    fixture.apply(cleanup(held, 10));
    assert_eq!(fixture.tables().retained().bytes, held);
    fixture.apply(cleanup(held - 1, 10));
    assert_eq!(has_journal(&mut fixture, first), Some(false));
    assert_eq!(has_journal(&mut fixture, second), Some(true));
}

#[test]
fn a_result_counts_and_what_was_counted_is_given_back() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(promised(1, 10)));
    let name = attempt(created, created);
    let result = Bytes::from(vec![b'x'; 5_000_000]);
    fixture.apply(command(name, Command::Output { result: Ok(result) }));
    fixture.apply(ended(name));
    fixture.apply(cleanup(0, 10));
    let left = fixture.tables().retained();
    assert!(left.bytes > 5_000_000, "the budget knows of large results: {left:?}");
    fixture.now_ms += DAY_MS;
    fixture.apply(cleanup(u64::MAX, 10));
    assert_eq!(fixture.tables().retained().bytes, 0);
}

#[test]
fn a_journal_that_ends_by_time_makes_way_for_the_rest_to_go_early() {
    let mut fixture = Fixture::single();
    let mut invoke = kept(1, 100);
    invoke.retention.journal_ms = 1000;
    let lsn = finished(&mut fixture, invoke);
    fixture.checkpoint();
    fixture.now_ms += 1000;
    fixture.apply(cleanup(u64::MAX, 10));
    assert_eq!(has_journal(&mut fixture, lsn), Some(false));
    fixture.apply(cleanup(0, 10));
    assert_eq!(has_journal(&mut fixture, lsn), None);
    fixture.checkpoint();
    assert_eq!(fixture.base.0.len(), 1, "the meta row alone: {:?}", fixture.base.0);
}

#[test]
fn what_format_1_has_finished_goes_at_its_time() {
    let mut fixture = Fixture::single();
    fixture.rules = Rules::V1;
    let old = finished(&mut fixture, kept(1, 1000));
    fixture.checkpoint();
    fixture.rules = Rules::V2;
    fixture.apply(cleanup(0, 10));
    assert_eq!(
        has_journal(&mut fixture, old),
        Some(true),
        "it has no row that says it may go early"
    );
    assert!(!fixture.tables().retained().may_shrink);
    fixture.now_ms += DAY_MS;
    fixture.apply(cleanup(u64::MAX, 10));
    assert_eq!(fixture.tables().retained().bytes, 0);
    fixture.checkpoint();
    assert_eq!(fixture.base.0.len(), 1, "the meta row alone: {:?}", fixture.base.0);
}

#[test]
#[should_panic(expected = "are released, but only 0 are counted")]
fn an_account_that_does_not_add_up_stops() {
    let mut fixture = Fixture::single();
    finished(&mut fixture, kept(1, 10));
    fixture.tables().meta_mut().retained_bytes = 0;
    fixture.now_ms += DAY_MS;
    fixture.apply(cleanup(0, 10));
}
