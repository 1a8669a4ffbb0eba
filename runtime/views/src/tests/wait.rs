//! Tests of why invocations wait.

use protocol::journal::{
    Awaiting, Command, NotificationId, NotificationKind, awaiting::Combinator,
};
use runtime_core::{
    event::Event,
    model::{invocation::AfterFailure, timer::TimerKey},
    time::Timestamp,
};

use super::support::{World, call, call_object, first_attempt, id};
use crate::wait::{Awaited, One, Wait};

#[test]
fn each_is_told_what_it_waits_for() {
    let mut world = World::default();
    let mut delayed = call(1);
    delayed.start_at = Some(Timestamp(9_000_000));
    world.apply(Event::Invoked(Box::new(delayed)));
    assert_eq!(world.see(One(id(1))), Some(Wait::Start { at: Timestamp(9_000_000) }));

    let running = world.invoke(2);
    assert_eq!(world.see(One(id(2))), None);
    world.fail(running, AfterFailure::Retry { delay_ms: 70, counts: true });
    let Some(Wait::Retry { at }) = world.see(One(id(2))) else { panic!("it backs off") };
    assert!(at > Timestamp(70));

    let paused = world.invoke(3);
    world.fail(paused, AfterFailure::Pause);
    assert_eq!(world.see(One(id(3))), Some(Wait::Operator));

    world.apply(call_object(4, "Cart", "a"));
    world.apply(call_object(5, "Cart", "a"));
    assert_eq!(world.see(One(id(5))), Some(Wait::Lock { holder: id(4) }));
    assert_eq!(world.see(One(id(6))), None, "nobody knows it");
}

#[test]
fn a_handler_waits_for_what_has_not_come() {
    let mut world = World::default();
    let lsn = world.invoke(1);
    let (soon, late) = (Timestamp(5_000_000), Timestamp(6_000_000));
    for (completion, at) in [(1, soon), (2, late)] {
        world.command(lsn, Command::Sleep { wake_up_time_ms: at.0, completion });
    }
    let ids = [1, 2].map(NotificationId::Completion);
    let awaiting = Awaiting::node(Combinator::AllCompleted, ids.to_vec(), Vec::new());
    let attempt = first_attempt(lsn);
    world.apply(Event::AttemptSuspended { attempt, awaiting, seen: 3 });
    let sleep = |completion, at| Awaited {
        id: NotificationId::Completion(completion),
        kind: NotificationKind::Sleep,
        at: Some(at),
    };
    assert_eq!(world.see(One(id(1))), Some(Wait::Answers(vec![sleep(1, soon), sleep(2, late)])));
    world.stamp_ms = soon.0;
    let timer = TimerKey { at: soon, invocation: lsn, completion: 1 };
    world.apply(Event::TimerFired { timer });
    assert_eq!(world.see(One(id(1))), Some(Wait::Answers(vec![sleep(2, late)])));
}
