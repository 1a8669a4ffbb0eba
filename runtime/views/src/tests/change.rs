//! Batches of records in, changes out.

use bytes::Bytes;
use protocol::journal::Command;
use runtime_core::{
    event::Event,
    model::invocation::{Retention, StatusKind},
};

use super::support::{Fixture, call, call_object, command_event, first_attempt, id};
use crate::change::{Change, NoSuchTopic, Topic};

fn set(value: &'static str) -> Command {
    Command::SetState { key: "count".into(), value: value.into() }
}

fn end() -> Command {
    Command::Output { result: Ok(Bytes::new()) }
}

fn statuses(changes: &[Change]) -> Vec<StatusKind> {
    let status = |change: &Change| match change {
        Change::Status { status, .. } => Some(*status),
        Change::State { .. } => None,
    };
    changes.iter().filter_map(status).collect()
}

#[test]
fn each_status_is_reported_when_it_is_entered_and_not_again() {
    let mut fixture = Fixture::default();
    let first = fixture.changes(vec![call_object(1, "Counter", "k")]);
    let [Change::Status { id: of, target, status }] = &first[..] else { panic!("{first:?}") };
    assert_eq!((*of, *status), (id(1), StatusKind::Running));
    assert_eq!(target.to_string(), "Counter/k/add");
    let lsn = fixture.tables().invocation_lsn(id(1)).unwrap();
    assert_eq!(statuses(&fixture.changes(vec![command_event(lsn, set("1"), None)])), []);
    let ended = Event::AttemptEnded { attempt: first_attempt(lsn) };
    let last = fixture.changes(vec![command_event(lsn, end(), None), ended]);
    assert_eq!(statuses(&last), [StatusKind::Completed]);
}

#[test]
fn the_end_is_reported_even_if_nothing_is_retained() {
    let mut fixture = Fixture::default();
    let unretained = Retention { completion_ms: 0, journal_ms: 0 };
    let mut invoke = call(1);
    invoke.retention = unretained;
    let lsn = fixture.apply(Event::Invoked(Box::new(invoke)));
    let ended = Event::AttemptEnded { attempt: first_attempt(lsn) };
    let changes = fixture.changes(vec![command_event(lsn, end(), None), ended]);
    assert!(fixture.tables().invocation(lsn).is_none());
    let [Change::Status { id: of, status, .. }] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((*of, *status), (id(1), StatusKind::Completed));
}

#[test]
fn written_and_removed_state_is_reported() {
    let mut fixture = Fixture::default();
    let lsn = fixture.apply(call_object(1, "Counter", "k"));
    let state = |is_set| Change::State {
        service: "Counter".into(),
        key: "k".into(),
        name: "count".into(),
        is_set,
    };
    let written = fixture
        .changes(vec![command_event(lsn, set("1"), None), command_event(lsn, set("2"), None)]);
    assert_eq!(written, [state(true)]);
    let clear = Command::ClearState { key: "count".into() };
    assert_eq!(fixture.changes(vec![command_event(lsn, clear, None)]), [state(false)]);
}

#[test]
fn topics_include_what_they_name() {
    let mut fixture = Fixture::default();
    let status = fixture.changes(vec![call_object(1, "Counter", "a/b")]).remove(0);
    let lsn = fixture.tables().invocation_lsn(id(1)).unwrap();
    let state = fixture.changes(vec![command_event(lsn, set("1"), None)]).remove(0);
    let cases = [
        ("invocations", true, false),
        ("invocations:Counter", true, false),
        ("invocations:Counter/a/b", true, false),
        ("invocations:Counter/a", false, false),
        ("invocations:Count", false, false),
        ("state", false, true),
        ("state:Counter", false, true),
        ("state:Counter/a/b", false, true),
        ("state:Other", false, false),
    ];
    for (name, of_status, of_state) in cases {
        let topic = Topic::parse(name).unwrap();
        let included = (topic.includes(&status), topic.includes(&state));
        assert_eq!(included, (of_status, of_state), "{name}");
    }
    for name in ["", "states", "state:", "state:/k", "Invocations"] {
        assert_eq!(Topic::parse(name), Err(NoSuchTopic(name.to_owned())));
    }
}
