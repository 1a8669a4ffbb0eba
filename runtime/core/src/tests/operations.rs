//! What operators do to invocations, in each status, and what the audit keeps of it.

use protocol::{DeploymentId, ProtocolVersion};

use super::support::*;
use crate::{
    effect::{Answer, Effect},
    event::Event,
    invariants,
    model::{
        ids::{Lsn, RequestId},
        incident::Happened,
        invocation::{AfterFailure, Invoke, Pause, Pin, Retention, Status, StatusKind, WaitingFor},
        operation::{Audited, Operation, Outcome},
    },
    tables::{
        Order,
        audit::{AUDITED_MAX, AuditEntry},
        walk::Budget,
    },
    time::Timestamp,
};

const ALL: Budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
const RETRY: AfterFailure = AfterFailure::Retry { delay_ms: 100, counts: true };

/// Does something to the invocation with id 1; returns the outcome and the other effects.
fn operate(fixture: &mut Fixture, operation: Operation) -> (Outcome, String) {
    let (request, operator, target) = (RequestId(9), ada("too hot"), id(1));
    fixture.effects();
    fixture.apply(Event::OperationRequested { request, operator, target, operation });
    invariants::check(&fixture.tables()).unwrap();
    let is_answer =
        |effect: &mut Effect| matches!(effect, Effect::Answer { request: RequestId(9), .. });
    let answers: Vec<_> = fixture.effects.extract_if(.., is_answer).collect();
    let [Effect::Answer { answer: Answer::Operated(outcome), .. }] = answers[..] else {
        panic!("{answers:?}")
    };
    (outcome, fixture.effects())
}

/// What the audit has kept of operations, with its numbers.
fn audit(fixture: &mut Fixture) -> Vec<(u64, Audited)> {
    let tables = fixture.tables();
    let operations = tables.walk_audit((None, Order::Ascending), ALL).map(|(number, entry)| {
        let AuditEntry::Operation(audited) = entry else { panic!("{entry:?} is no operation") };
        (number, *audited)
    });
    operations.collect()
}

fn status(fixture: &mut Fixture, lsn: Lsn) -> StatusKind {
    fixture.tables().invocation(lsn).unwrap().status.kind()
}

fn pause_of(fixture: &mut Fixture, lsn: Lsn) -> Option<Pause> {
    fixture.tables().invocation(lsn).unwrap().pause.map(|pause| *pause)
}

/// An invocation with id 1 in the given status.
fn in_status(kind: StatusKind) -> (Fixture, Lsn) {
    let mut fixture = Fixture::single();
    let lsn = match kind {
        StatusKind::Scheduled => {
            fixture.apply(invoked(Invoke { start_at: Some(Timestamp(9000)), ..call(1) }))
        }
        StatusKind::Inboxed => {
            fixture.apply(invoked(call_object(2, "ada")));
            fixture.apply(invoked(call_object(1, "ada")))
        }
        StatusKind::Running
        | StatusKind::BackingOff
        | StatusKind::Suspended
        | StatusKind::Paused
        | StatusKind::Completed => {
            let lsn = fixture.apply(invoked(call(1)));
            let name = attempt(lsn, lsn);
            fixture.apply(command(name, sleep(9000, 1)));
            match kind {
                StatusKind::BackingOff => _ = fixture.apply(failed(name, RETRY)),
                StatusKind::Suspended => _ = fixture.apply(suspended(name, 1, 2)),
                StatusKind::Paused => _ = fixture.apply(failed(name, AfterFailure::Pause)),
                StatusKind::Completed => {
                    fixture.apply(output(name, "done"));
                    fixture.apply(ended(name));
                }
                StatusKind::Scheduled | StatusKind::Inboxed | StatusKind::Running => (),
            }
            lsn
        }
    };
    assert_eq!(status(&mut fixture, lsn), kind);
    (fixture, lsn)
}

#[test]
fn each_operation_says_in_each_status_whether_it_is_done() {
    use Operation::*;
    use StatusKind::*;
    let resume = Resume { onto: None };
    let (done, requested) = (Outcome::Done, Outcome::Requested);
    let refused = Outcome::Refused;
    let all = [Cancel, Kill, Pause, resume, Purge, PurgeJournal];
    let expected = |kind| match kind {
        Scheduled | Inboxed => [done, done, refused(kind), refused(kind)],
        Running => [requested, done, requested, done],
        BackingOff | Suspended | Paused => [requested, done, done, done],
        Completed => [refused(kind); 4],
    };
    for kind in StatusKind::ALL {
        let purged = if kind == Completed { done } else { refused(kind) };
        let expected = expected(kind).into_iter().chain([purged; 2]);
        for (operation, expected) in all.into_iter().zip(expected) {
            let (mut fixture, _) = in_status(kind);
            let (outcome, _) = operate(&mut fixture, operation);
            assert_eq!(outcome, expected, "{operation:?} of what is {kind:?}");
            let Audited { operator, invocation, status, outcome, .. } =
                audit(&mut fixture).remove(0).1;
            assert_eq!((operator, invocation), (ada("too hot"), id(1)));
            assert_eq!((status, outcome), (Some(kind), expected));
        }
    }
    let mut fixture = Fixture::single();
    for operation in all {
        assert_eq!(operate(&mut fixture, operation).0, Outcome::NotFound, "{operation:?}");
    }
    let tables = fixture.tables();
    let kept = tables.walk_audit((None, Order::Descending), ALL).map(|(number, _)| number);
    assert_eq!(kept.collect::<Vec<_>>(), [5, 4, 3, 2, 1, 0]);
}

#[test]
fn a_running_attempt_is_asked_to_suspend_and_then_it_is_paused() {
    let (mut fixture, lsn) = in_status(StatusKind::Running);
    assert_eq!(operate(&mut fixture, Operation::Pause).1, "suspend 1@1");
    assert_eq!(status(&mut fixture, lsn), StatusKind::Running);
    // After a crash, the attempt starts again, and is asked again.
    let start = crate::obligations::start(&fixture.tables(), attempt(lsn, lsn)).unwrap();
    assert!(matches!(start, Effect::StartAttempt(start) if start.is_pausing));
    fixture.apply(suspended(attempt(lsn, lsn), 1, 2));
    assert_eq!(status(&mut fixture, lsn), StatusKind::Paused);
    let pause = pause_of(&mut fixture, lsn).unwrap();
    assert_eq!((pause.operator, pause.at), (Some(ada("too hot")), Timestamp(fixture.now_ms)));
    assert!(matches!(pause.waited_for, Some(WaitingFor::Notification { seen: 2, .. })));
    // What it waits for arrives, and is kept.
    fixture.now_ms = 9500;
    fixture.effects();
    fixture.apply(timer(9000, lsn, 1));
    assert_eq!((fixture.effects(), status(&mut fixture, lsn)), (String::new(), StatusKind::Paused));
    let (outcome, effects) = operate(&mut fixture, Operation::Resume { onto: None });
    assert_eq!((outcome, effects.contains("entries=3")), (Outcome::Done, true), "{effects}");
    assert_eq!(pause_of(&mut fixture, lsn), None);
    let kept: Vec<_> = fixture.tables().walk_incidents_of(lsn, None, ALL).collect();
    let kept: Vec<_> = kept.into_iter().map(|(_, incident)| incident.what).collect();
    let expected = [
        Happened::Paused { by: Some(ada("too hot")) },
        Happened::Resumed { by: ada("too hot"), onto: None },
    ];
    assert_eq!(kept, expected);
}

#[test]
fn a_failure_pauses_too_and_the_output_ends_it() {
    for next in [RETRY, AfterFailure::RetryUnsent { delay_ms: 100 }, AfterFailure::Pause] {
        let (mut fixture, lsn) = in_status(StatusKind::Running);
        operate(&mut fixture, Operation::Pause);
        fixture.apply(failed(attempt(lsn, lsn), next));
        assert_eq!(status(&mut fixture, lsn), StatusKind::Paused);
        assert_eq!(pause_of(&mut fixture, lsn).unwrap().operator, Some(ada("too hot")));
        assert_eq!(fixture.tables().next_timer(Timestamp(0)), Some(Timestamp(9000)), "the sleep's");
    }
    let (mut fixture, lsn) = in_status(StatusKind::Running);
    operate(&mut fixture, Operation::Pause);
    fixture.apply(output(attempt(lsn, lsn), "done"));
    fixture.apply(ended(attempt(lsn, lsn)));
    assert_eq!(status(&mut fixture, lsn), StatusKind::Completed);
    assert_eq!(pause_of(&mut fixture, lsn), None);
}

#[test]
fn a_pause_that_is_not_wanted_any_more_is_withdrawn() {
    let (mut fixture, lsn) = in_status(StatusKind::Running);
    operate(&mut fixture, Operation::Pause);
    operate(&mut fixture, Operation::Resume { onto: None });
    fixture.apply(suspended(attempt(lsn, lsn), 1, 2));
    assert_eq!(status(&mut fixture, lsn), StatusKind::Suspended);
}

#[test]
fn what_waits_is_paused_at_once_and_remembers_for_what() {
    let (mut fixture, lsn) = in_status(StatusKind::BackingOff);
    operate(&mut fixture, Operation::Pause);
    let waited_for = pause_of(&mut fixture, lsn).unwrap().waited_for;
    assert!(matches!(waited_for, Some(WaitingFor::Retry { .. })));
    fixture.now_ms += 1000;
    assert_eq!(fixture.tables().next_timer(Timestamp(0)), Some(Timestamp(9000)), "the sleep's");
    let (outcome, effects) = operate(&mut fixture, Operation::Pause);
    assert_eq!((outcome, effects.as_str()), (Outcome::Done, ""));
    // Cancelling lets it run, so that it can clean up.
    let (outcome, effects) = operate(&mut fixture, Operation::Cancel);
    assert!(effects.starts_with("start 1@"), "{effects}");
    assert_eq!((outcome, pause_of(&mut fixture, lsn)), (Outcome::Requested, None));
}

#[test]
fn resuming_starts_now_with_all_attempts_and_may_move() {
    let pin = |deployment| Pin { deployment, protocol: ProtocolVersion::V6 };
    let (old, new) = (DeploymentId(7), DeploymentId(8));
    for kind in [StatusKind::BackingOff, StatusKind::Suspended, StatusKind::Paused] {
        let (mut fixture, lsn) = in_status(kind);
        let onto = Operation::Resume { onto: Some(new) };
        assert_eq!(operate(&mut fixture, onto).0, Outcome::NotPinned, "{kind:?}");
        assert_eq!(status(&mut fixture, lsn), kind, "nothing has happened");
        let (outcome, effects) = operate(&mut fixture, Operation::Resume { onto: None });
        assert_eq!(outcome, Outcome::Done, "{kind:?}");
        assert!(effects.starts_with("start 1@"), "{kind:?}: {effects}");
        let Status::Running { attempt: started } = fixture.tables().invocation(lsn).unwrap().status
        else {
            panic!("{kind:?} does not run")
        };
        let name = attempt(lsn, started);
        fixture.apply(Event::DeploymentPinned { attempt: name, pin: pin(old) });
        let refused = Outcome::Refused(StatusKind::Running);
        assert_eq!(operate(&mut fixture, onto).0, refused, "an attempt is under way");
        fixture.apply(failed(name, RETRY));
        assert_eq!(operate(&mut fixture, onto).0, Outcome::Done);
        let row = fixture.tables().invocation(lsn).unwrap();
        assert_eq!((row.pin, row.policy_attempts), (Some(pin(new)), 0));
        let on = |fixture: &mut Fixture, deployment| {
            fixture.tables().walk_deployment(deployment, Order::Ascending, None, ALL).count()
        };
        assert_eq!((on(&mut fixture, old), on(&mut fixture, new)), (0, 1));
    }
}

#[test]
fn a_journal_is_purged_and_the_result_stays() {
    let mut fixture = Fixture::single();
    let retention = Retention { completion_ms: 10_000, journal_ms: 5000 };
    let lsn = fixture.apply(invoked(Invoke { retention, ..call(1) }));
    fixture.apply(output(attempt(lsn, lsn), "done"));
    fixture.apply(ended(attempt(lsn, lsn)));
    for _ in 0..2 {
        assert_eq!(operate(&mut fixture, Operation::PurgeJournal).0, Outcome::Done);
        let row = fixture.tables().invocation(lsn).unwrap();
        assert_eq!((row.journal_len, row.journal_bytes), (0, 0));
        assert!(row.status.completion().unwrap().result.is_ok());
    }
    assert_eq!(operate(&mut fixture, Operation::Purge).0, Outcome::Done);
    assert_eq!(fixture.tables().meta().retained_bytes, 0);
    assert_eq!(operate(&mut fixture, Operation::Purge).0, Outcome::NotFound);
}

#[test]
fn the_audit_keeps_the_latest() {
    let mut fixture = Fixture::single();
    for _ in 0..3 {
        operate(&mut fixture, Operation::Kill);
    }
    fixture.checkpoint();
    // As if many had been there before.
    let key = |number| crate::tables::Table::Audit.key().u64(number).done();
    let row = fixture.base.0.remove(&key(2)).unwrap();
    fixture.base.0.insert(key(AUDITED_MAX - 1), row);
    fixture.base.0.remove(&key(1));
    operate(&mut fixture, Operation::Cancel);
    let kept = audit(&mut fixture).into_iter();
    let kept: Vec<_> = kept.map(|(number, audited)| (number, audited.operation)).collect();
    let expected = [(AUDITED_MAX - 1, Operation::Kill), (AUDITED_MAX, Operation::Cancel)];
    assert_eq!(kept, expected, "the first one, 0, has made room");
}
