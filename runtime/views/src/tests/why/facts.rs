//! What a partition knows of a subject.

use protocol::{
    ids::Derivation,
    journal::{
        Awaiting, Command, NotificationId,
        awaiting::Combinator,
        notification::{CANCEL_SIGNAL, SignalId},
    },
};
use runtime_core::{
    Lsn,
    event::Event,
    model::{invocation::AfterFailure, timer::TimerKey},
    time::Timestamp,
};

use super::super::support::{Fixture, call_object, first_attempt, id};
use crate::why::{
    Facts, Need, Of, Subject,
    facts::{Count, Invocation, State},
    waits::{Awaited, Waits},
};

fn of(fixture: &mut Fixture, uuid: u128) -> Invocation {
    let subject = Subject::Invocation(id(uuid));
    match fixture.view(Of { subject, derivation: Derivation::Plain }) {
        Facts::Invocation(invocation) => *invocation,
        other @ (Facts::Absent | Facts::Key(_)) => panic!("{other:?} is no invocation"),
    }
}

fn waits(fixture: &mut Fixture, uuid: u128) -> Waits {
    match of(fixture, uuid).state {
        State::Suspended(waits) | State::Running { open: waits, .. } => waits,
        other @ (State::Scheduled { .. }
        | State::Queued { .. }
        | State::BackingOff { .. }
        | State::Paused { .. }
        | State::Completed { .. }) => panic!("{other:?} waits for no result"),
    }
}

fn sleep(fixture: &mut Fixture, lsn: Lsn, completion: u32) {
    let wake_up_time_ms = 5_000_000 + u64::from(completion);
    fixture.command(lsn, Command::Sleep { wake_up_time_ms, completion });
}

fn suspend(fixture: &mut Fixture, lsn: Lsn, awaiting: Awaiting, seen: u32) {
    let attempt = first_attempt(lsn);
    fixture.apply(Event::AttemptSuspended { attempt, awaiting, seen });
}

fn leaves(ids: impl IntoIterator<Item = u32>) -> Vec<NotificationId> {
    ids.into_iter().map(NotificationId::Completion).collect()
}

#[test]
fn a_place_in_a_queue_is_counted_up_to_a_limit() {
    let mut fixture = Fixture::default();
    for uuid in 1..=1010 {
        fixture.apply(call_object(uuid, "Cart", "a"));
    }
    fixture.apply(call_object(5000, "Cart", "b"));
    let mut ahead = |uuid| {
        let state = of(&mut fixture, uuid).state;
        let State::Queued { holder, ahead } = state else { panic!("{state:?} is no queue") };
        (holder, ahead)
    };
    for (uuid, number, is_cut) in [(2, 0, false), (5, 3, false), (1010, 1000, true)] {
        assert_eq!(ahead(uuid), (id(1), Count { number, is_cut }), "{uuid}");
    }
    let subject = Subject::Key { service: "Cart".to_owned(), key: "a".to_owned() };
    let of = Of { subject, derivation: Derivation::Plain };
    let Facts::Key(key) = fixture.view(of) else { panic!("it is a key") };
    assert_eq!((key.holder, key.queued, key.is_run), (Some(id(1)), 1009, false));
    let subject = Subject::Key { service: "Cart".to_owned(), key: "c".to_owned() };
    let of = Of { subject, derivation: Derivation::Plain };
    let Facts::Key(key) = fixture.view(of) else { panic!("it is a key") };
    assert_eq!(key.holder, None);
}

#[test]
fn what_a_tree_needs_is_told_from_what_may_come_instead() {
    let needs = |awaiting: Awaiting| {
        let mut fixture = Fixture::default();
        let lsn = fixture.invoke(1);
        (1..=3).for_each(|completion| sleep(&mut fixture, lsn, completion));
        suspend(&mut fixture, lsn, awaiting, 4);
        let shown = waits(&mut fixture, 1).shown;
        shown.into_iter().map(|wait| wait.need).collect::<Vec<_>>()
    };
    let cancel = NotificationId::Signal(SignalId::Index(CANCEL_SIGNAL));
    let all = |ids: &[u32]| {
        Awaiting::node(Combinator::AllCompleted, leaves(ids.iter().copied()), Vec::new())
    };
    // As SDKs send it: whatever is awaited, or the cancellation.
    let or_cancelled = |inner: Awaiting| {
        Awaiting::node(Combinator::FirstCompleted, vec![cancel.clone()], vec![inner])
    };
    use Need::{Alternative, Required};
    assert_eq!(needs(or_cancelled(all(&[1, 2]))), [Required, Required]);
    assert_eq!(needs(or_cancelled(Awaiting::any_of(leaves([1, 2])))), [Alternative, Alternative]);
    assert_eq!(needs(Awaiting::any_of(leaves([1]))), [Required]);
    let try_all = Awaiting::node(Combinator::AllSucceededOrFirstFailed, leaves([1, 2]), Vec::new());
    assert_eq!(needs(try_all), [Alternative, Alternative], "a failure ends it early");
    let mixed = Awaiting::node(
        Combinator::AllCompleted,
        leaves([1]),
        vec![Awaiting::any_of(leaves([2, 3]))],
    );
    assert_eq!(needs(or_cancelled(mixed)), [Required, Alternative, Alternative]);
}

#[test]
fn some_of_each_kind_are_shown_and_the_rest_is_counted() {
    let mut fixture = Fixture::default();
    let lsn = fixture.invoke(1);
    (1..=30).for_each(|completion| sleep(&mut fixture, lsn, completion));
    fixture.command(lsn, Command::GetPromise { key: "approved".into(), completion: 31 });
    suspend(&mut fixture, lsn, Awaiting::any_of(leaves(1..=31)), 32);
    let waits = waits(&mut fixture, 1);
    assert_eq!(waits.shown.len(), 8);
    let promise = Awaited::Promise { name: Some("approved".into()) };
    assert!(waits.shown.iter().any(|wait| wait.what == promise), "{waits:?}");
    assert_eq!(waits.more, [("Sleep", 23)].into());

    // What has arrived does not count.
    fixture.stamp_ms = 5_000_001;
    let timer = TimerKey { at: Timestamp(5_000_001), invocation: lsn, completion: 1 };
    fixture.apply(Event::TimerFired { timer });
    assert_eq!(of(&mut fixture, 1).status, runtime_core::model::invocation::StatusKind::Running);
}

#[test]
fn a_running_handler_has_asked_for_what_has_not_come() {
    let mut fixture = Fixture::default();
    let lsn = fixture.invoke(1);
    sleep(&mut fixture, lsn, 1);
    fixture.command(lsn, Command::Run { completion: 2 });
    let open = waits(&mut fixture, 1);
    let kinds: Vec<_> = open.shown.iter().map(|wait| (&wait.what, wait.need)).collect();
    let at = Some(Timestamp(5_000_001));
    let expected = [
        (&Awaited::Timer { name: None, at }, Need::Possible),
        (&Awaited::Step { name: None }, Need::Possible),
    ];
    assert_eq!(kinds, expected);
    assert!(!open.is_cut && open.more.is_empty());

    // A long journal is not read to its beginning.
    for completion in 3..600 {
        sleep(&mut fixture, lsn, completion);
    }
    let open = waits(&mut fixture, 1);
    assert!(open.is_cut, "{open:?}");
    assert_eq!(open.shown.len() + open.more.values().sum::<usize>(), 512);
}

#[test]
fn a_failure_is_shown_with_a_bound() {
    let mut fixture = Fixture::default();
    let lsn = fixture.invoke(1);
    fixture.fail(lsn, AfterFailure::RetryUnsent { delay_ms: 70 });
    let it = of(&mut fixture, 1);
    let failure = it.failure.unwrap();
    assert!(it.is_unsent && it.failures == 1 && failure.message.len() <= 1024);
    assert_eq!(
        fixture.view(Of { subject: Subject::Invocation(id(9)), derivation: Derivation::Plain }),
        Facts::Absent
    );
}
