//! What is kept of attempts that failed and of what operators did, and for how long.

use bytes::Bytes;
use protocol::DeploymentId;

use super::support::*;
use crate::{
    event::{Event, Rules},
    invariants,
    model::{
        ids::{AttemptRef, Lsn, RequestId},
        incident::{Happened, Incident},
        invocation::{AfterFailure, AttemptFailure, Pin, Retention},
        operation::Operation,
        operator::Operator,
        state_edit::{StateChange, StateEdit},
    },
    tables::{incident::INCIDENTS_MAX, walk::Budget},
};

const ALL: Budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };

fn incidents(fixture: &mut Fixture, invocation: Lsn) -> Vec<(u32, Incident)> {
    let tables = fixture.tables();
    invariants::check(&tables).unwrap();
    tables.walk_incidents_of(invocation, None, ALL).collect()
}

/// Fails with this message, and goes on to the next attempt, which it returns.
fn fail(fixture: &mut Fixture, name: AttemptRef, message: &str) -> AttemptRef {
    let failure = AttemptFailure {
        code: 500,
        error_code: None,
        message: message.to_owned(),
        stacktrace: "at ".repeat(10_000),
        related_command: None,
    };
    let next = AfterFailure::Retry { delay_ms: 100, counts: true };
    let deployment = Some(DeploymentId(7));
    fixture.apply(Event::AttemptFailedOn { attempt: name, deployment, failure, next });
    let at_ms = fixture.now_ms + 100;
    fixture.now_ms = at_ms;
    let again = fixture.apply(timer(at_ms, name.invocation, 0));
    attempt(name.invocation, again)
}

#[test]
fn a_failed_attempt_is_kept_with_its_times_and_its_deployment() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let name = attempt(created, created);
    let started_at = fixture.tables().invocation(created).unwrap().modified_at;
    fixture.now_ms += 5;
    fail(&mut fixture, name, &"ß".repeat(1000));
    let kept = incidents(&mut fixture, created);
    let [(0, Incident { at, journal_len: 1, what })] = &kept[..] else { panic!("{kept:?}") };
    let Happened::AttemptFailed { started_at: since, deployment, failure } = what else {
        panic!("{what:?}")
    };
    assert_eq!((*since, at.0 - since.0 >= 5), (started_at, true));
    assert_eq!(*deployment, Some(DeploymentId(7)));
    assert_eq!((failure.message.len(), failure.stacktrace.len()), (1024, 4096));
}

#[test]
fn the_latest_are_kept_and_go_with_the_journal() {
    let mut fixture = Fixture::single();
    let retention = Retention { completion_ms: 10_000, journal_ms: 100 };
    let created = fixture.apply(invoked(crate::model::invocation::Invoke { retention, ..call(1) }));
    let mut name = attempt(created, created);
    for nth in 0..INCIDENTS_MAX + 4 {
        name = fail(&mut fixture, name, &format!("failure {nth}"));
    }
    let kept = incidents(&mut fixture, created);
    let numbers: Vec<u32> = kept.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (4..INCIDENTS_MAX + 4).collect::<Vec<_>>());
    fixture.apply(output(name, "done"));
    fixture.apply(ended(name));
    assert_eq!(incidents(&mut fixture, created).len(), INCIDENTS_MAX as usize);
    let with_journal = fixture.tables().meta().retained_bytes;
    fixture.now_ms += 1000;
    fixture.apply(Event::CleanupDue { budget_bytes: u64::MAX, limit: 10 });
    assert!(fixture.tables().invocation(created).is_some());
    assert_eq!(incidents(&mut fixture, created), []);
    let freed = with_journal - fixture.tables().meta().retained_bytes;
    assert!(freed > u64::from(INCIDENTS_MAX) * 4096, "they count: {freed}");
}

#[test]
fn they_go_with_their_invocation() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let name = fail(&mut fixture, attempt(created, created), "no");
    fixture.apply(output(name, "done"));
    fixture.apply(ended(name));
    assert_eq!(incidents(&mut fixture, created).len(), 1);
    fixture.apply(Event::PurgeRequested { request: RequestId(1), target: id(1) });
    assert!(fixture.tables().invocation(created).is_none());
    assert_eq!(incidents(&mut fixture, created), []);
}

#[test]
fn an_attempt_that_no_deployment_could_run_shows_where_its_invocation_is_pinned() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let name = attempt(created, created);
    let pin = Pin { deployment: DeploymentId(7), protocol: protocol::ProtocolVersion::V6 };
    fixture.apply(Event::DeploymentPinned { attempt: name, pin });
    fixture.apply(failed(name, AfterFailure::Pause));
    let kept = incidents(&mut fixture, created);
    let happened = kept.iter().map(|(_, incident)| &incident.what).collect::<Vec<_>>();
    let [Happened::AttemptFailed { deployment, .. }, Happened::Paused { by: None }] = happened[..]
    else {
        panic!("{happened:?}")
    };
    assert_eq!(*deployment, Some(DeploymentId(7)));
}

#[test]
fn what_operators_do_is_kept_with_who_and_why_until_it_has_ended() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call_object(1, "k")));
    let by = Operator { name: "ada".to_owned(), reason: Some("too hot".to_owned()) };
    let (request, target, operator) = (RequestId(1), id(1), by.clone());
    let set = (Bytes::from("a"), Bytes::from("1"));
    let change = StateChange::Patch { set: vec![set], clear: Vec::new() };
    let (service, key) = ("Counter".to_owned(), "k".to_owned());
    let edit = Box::new(StateEdit { service, key, change, expected: None });
    fixture.apply(Event::StateEditRequested { request, operator: by.clone(), edit });
    let operations = [Operation::Cancel, Operation::Kill, Operation::Cancel, Operation::Kill];
    for operation in operations {
        let operator = operator.clone();
        fixture.apply(Event::OperationRequested { request, operator, target, operation });
    }
    let kept = incidents(&mut fixture, created).into_iter();
    let kept: Vec<_> = kept.map(|(_, incident)| incident.what).collect();
    let expected = [
        Happened::StateEditQueued { by: by.clone() },
        Happened::CancelRequested { by: by.clone() },
        Happened::Killed { by },
    ];
    assert_eq!(kept, expected, "and nothing of what was refused");
    // What others ask for is in the journal, and under an older format there is nobody to name.
    let created = fixture.apply(invoked(call(2)));
    fixture.apply(Event::KillRequested { request, target: id(2) });
    assert_eq!(incidents(&mut fixture, created), []);
}

#[test]
fn only_the_running_attempt_leaves_one_and_events_of_earlier_formats_leave_none() {
    let mut fixture = Fixture::single();
    let created = fixture.apply(invoked(call(1)));
    let first = attempt(created, created);
    let second = fail(&mut fixture, first, "no");
    fail(&mut fixture, first, "too late");
    assert_eq!(incidents(&mut fixture, created).len(), 1);
    let Event::AttemptFailedOn { failure, next, .. } = failed(second, AfterFailure::Pause) else {
        panic!("another event")
    };
    fixture.rules = Rules::V5;
    fixture.apply(Event::AttemptFailed { attempt: second, failure, next });
    assert_eq!(incidents(&mut fixture, created).len(), 1);
}
