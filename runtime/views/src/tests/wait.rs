//! Tests of why invocations wait.

use protocol::{
    AwakeableId,
    journal::{
        Awaiting, Command, InvocationTarget, NotificationId, NotificationKind,
        awaiting::Combinator,
        notification::{CANCEL_SIGNAL, SignalId},
    },
};
use runtime_core::{
    event::Event,
    model::{invocation::AfterFailure, timer::TimerKey},
    time::Timestamp,
};

use super::support::{Fixture, call, call_object, first_attempt, id};
use crate::{
    origin::Origin,
    wait::{Awaited, One, Wait},
};

#[test]
fn each_is_told_what_it_waits_for() {
    let mut fixture = Fixture::default();
    let mut delayed = call(1);
    delayed.start_at = Some(Timestamp(9_000_000));
    fixture.apply(Event::Invoked(Box::new(delayed)));
    assert_eq!(fixture.view(One(id(1))), Some(Wait::Start { at: Timestamp(9_000_000) }));

    let running = fixture.invoke(2);
    assert_eq!(fixture.view(One(id(2))), None);
    fixture.fail(running, AfterFailure::Retry { delay_ms: 70, counts: true });
    let Some(Wait::Retry { at }) = fixture.view(One(id(2))) else { panic!("it backs off") };
    assert!(at > Timestamp(70));

    let paused = fixture.invoke(3);
    fixture.fail(paused, AfterFailure::Pause);
    assert_eq!(fixture.view(One(id(3))), Some(Wait::Operator));

    fixture.apply(call_object(4, "Cart", "a"));
    fixture.apply(call_object(5, "Cart", "a"));
    assert_eq!(fixture.view(One(id(5))), Some(Wait::Lock { holder: id(4) }));
    assert_eq!(fixture.view(One(id(6))), None, "nobody knows it");
}

#[test]
fn a_handler_waits_for_what_has_not_come() {
    let mut fixture = Fixture::default();
    let lsn = fixture.invoke(1);
    let (soon, late) = (Timestamp(5_000_000), Timestamp(6_000_000));
    for (completion, at) in [(1, soon), (2, late)] {
        fixture.command(lsn, Command::Sleep { wake_up_time_ms: at.0, completion });
    }
    let ids = [1, 2].map(NotificationId::Completion);
    let all = Awaiting::node(Combinator::AllCompleted, ids.to_vec(), Vec::new());
    let cancelled = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));
    let awaiting = Awaiting::node(Combinator::FirstCompleted, vec![cancelled], vec![all]);
    let attempt = first_attempt(lsn);
    fixture.apply(Event::AttemptSuspended { attempt, awaiting, seen: 3 });
    let sleep = |completion, at| Awaited {
        id: NotificationId::Completion(completion),
        kind: NotificationKind::Sleep,
        at: Some(at),
        of: Origin::default(),
    };
    assert_eq!(fixture.view(One(id(1))), Some(Wait::Answers(vec![sleep(1, soon), sleep(2, late)])));
    fixture.stamp_ms = soon.0;
    let timer = TimerKey { at: soon, invocation: lsn, completion: 1 };
    fixture.apply(Event::TimerFired { timer });
    assert_eq!(fixture.view(One(id(1))), Some(Wait::Answers(vec![sleep(2, late)])));
}

#[test]
fn what_is_awaited_has_the_name_of_its_command() {
    let mut fixture = Fixture::default();
    fixture.invoke(7);
    let lsn = fixture.invoke(1);
    fixture.command(lsn, Command::GetPromise { key: "approved".into(), completion: 1 });
    let target = InvocationTarget::Id(id(7).to_string());
    fixture.command(lsn, Command::AttachInvocation { target, completion: 2 });
    let leaves = [NotificationId::Completion(1), NotificationId::Completion(2)]
        .into_iter()
        .chain([17, CANCEL_SIGNAL].map(|it| NotificationId::Signal(SignalId::Index(it))))
        .chain([NotificationId::Signal(SignalId::Name("go".into()))]);
    let awaiting = Awaiting::node(Combinator::FirstCompleted, leaves.collect(), Vec::new());
    fixture.apply(Event::AttemptSuspended { attempt: first_attempt(lsn), awaiting, seen: 3 });
    let Some(Wait::Answers(answers)) = fixture.view(One(id(1))) else { panic!("it is suspended") };
    let awakeable = AwakeableId { invocation: id(1), signal: 17 };
    let named = |name: String, invocation| Origin { name: Some(name), invocation };
    let expected = [
        named("approved".into(), None),
        named(id(7).to_string(), Some(id(7))),
        named(awakeable.to_string(), None),
        named("go".into(), None),
    ];
    assert_eq!(answers.into_iter().map(|it| it.of).collect::<Vec<_>>(), expected);
}
