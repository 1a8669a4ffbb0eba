//! What backs off, and how it is counted.

use bytes::Bytes;
use protocol::journal::Command;

use super::support::*;
use crate::{
    Lsn,
    effect::Effect,
    event::{AfterFailure, AttemptRef, Event, RequestId},
    tables::invocation::{Status, WaitingFor},
};

const UNSENT: AfterFailure = AfterFailure::RetryUnsent { delay_ms: 100 };
const FAILED: AfterFailure = AfterFailure::Retry { delay_ms: 100, counts: true };

fn cancel() -> Event {
    Event::CancelRequested { request: RequestId(9), target: id(1) }
}

/// Lets the attempt fail; until when its invocation waits.
fn fail(world: &mut World, name: AttemptRef, next: AfterFailure) -> u64 {
    world.apply(failed(name, next));
    let status = world.tables().invocation(name.invocation).unwrap().status;
    let Status::Waiting(WaitingFor::Retry { at }) = status else { panic!("{status:?}") };
    at.0
}

/// The same, and until the next attempt.
fn fail_and_go_on(world: &mut World, name: AttemptRef, next: AfterFailure) -> AttemptRef {
    let at_ms = fail(world, name, next);
    world.now_ms = at_ms;
    let again = world.apply(timer(at_ms, name.invocation, 0));
    attempt(name.invocation, again)
}

/// What the row has counted: unsent ones, those of the policy, those that the handler hears of.
fn counts(world: &mut World, invocation: Lsn) -> (u32, u32, u32) {
    let row = world.tables().invocation(invocation).unwrap();
    (row.unsent, row.policy_attempts, row.retry_count)
}

#[test]
fn requests_that_were_not_sent_are_counted_in_the_row_and_by_no_policy() {
    let mut world = World::single();
    let created = world.apply(invoked(call(1)));
    let mut name = attempt(created, created);
    name = fail_and_go_on(&mut world, name, FAILED);
    for unsent in 1..=3 {
        name = fail_and_go_on(&mut world, name, UNSENT);
        assert_eq!(counts(&mut world, created), (unsent, 1, 1));
        // Also over a restart.
        world.checkpoint();
        assert_eq!(counts(&mut world, created), (unsent, 1, 1));
        let Some(Effect::StartAttempt(start)) = world.effects.pop() else { panic!("a start") };
        assert_eq!((start.attempt, start.unsent), (name, unsent), "the next delay grows by it");
    }
    assert_eq!(world.tables().invocation(created).unwrap().last_failure.unwrap().message, "boom");
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
        let mut world = World::single();
        let created = world.apply(invoked(call(1)));
        let first = attempt(created, created);
        world.apply(command(first, Command::Run { completion: 1 }));
        let second = fail_and_go_on(&mut world, first, UNSENT);
        let third = fail_and_go_on(&mut world, second, UNSENT);
        if what == "a suspension that is over" {
            world.apply(cancel());
        }
        assert_eq!(counts(&mut world, created).0, 2);
        world.apply(event(third));
        assert_eq!(counts(&mut world, created).0, 0, "{what}");
        assert_eq!(crate::invariants::check(&world.tables()), Ok(()), "{what}");
    }
}
