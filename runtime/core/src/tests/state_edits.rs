//! Operators edit state: at once or behind the invocation that holds the key, for the version that
//! they expect, and the audit keeps it.

use bytes::Bytes;
use protocol::{InvocationId, StateVersion, TerminalFailure, ids::Derivation, journal::Command};

use super::support::*;
use crate::{
    effect::{Answer, Effect},
    event::Event,
    invariants,
    model::{
        ids::{Lsn, RequestId},
        invocation::{Invoke, Retention},
        operation::Operation,
        operator::Operator,
        state_edit::{AuditedEdit, EditOutcome, Sample, StateChange, StateEdit, StateSummary},
    },
    tables::{
        Order,
        audit::AuditEntry,
        meter,
        waiting_edit::{WAITING_BYTES_MAX, WAITING_MAX},
        walk::{Budget, Within},
    },
};

const ALL: Budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };

fn entries(entries: &[(&str, &str)]) -> Vec<(Bytes, Bytes)> {
    let owned = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    entries.iter().map(|(key, value)| (owned(key), owned(value))).collect()
}

fn replace(new: &[(&str, &str)]) -> StateChange {
    StateChange::Replace(entries(new))
}

fn set(key: &str, value: &str) -> StateChange {
    StateChange::Patch { set: entries(&[(key, value)]), clear: Vec::new() }
}

fn version(of: &[(&str, &str)]) -> StateVersion {
    StateVersion::of(of.iter().copied())
}

fn edit_of(service: &str, change: StateChange, expected: Option<StateVersion>) -> Event {
    let operator = Operator { name: "ada".to_owned(), reason: Some("typo".to_owned()) };
    let (service, key) = (service.to_owned(), "k".to_owned());
    let edit = Box::new(StateEdit { service, key, change, expected });
    Event::StateEditRequested { request: RequestId(9), operator, edit }
}

/// Edits the state of a service's key `k`; returns the answer.
fn edit(
    fixture: &mut Fixture,
    service: &str,
    change: StateChange,
    expected: Option<StateVersion>,
) -> (EditOutcome, Option<StateSummary>) {
    fixture.effects();
    fixture.apply(edit_of(service, change, expected));
    invariants::check(&fixture.tables()).unwrap();
    let [Effect::Answer { answer: Answer::StateEdited { outcome, state }, .. }] =
        fixture.effects[..]
    else {
        panic!("{:?}", fixture.effects)
    };
    (outcome, state)
}

fn edit_counter(fixture: &mut Fixture, change: StateChange) -> EditOutcome {
    edit(fixture, "Counter", change, None).0
}

fn state(fixture: &mut Fixture, service: &str) -> Vec<(Bytes, Bytes)> {
    fixture.tables().all_state(service, "k", usize::MAX).0
}

fn audit(fixture: &mut Fixture) -> Vec<AuditedEdit> {
    let tables = fixture.tables();
    let kept = tables.walk_audit((None, Order::Ascending), ALL).map(|(_, entry)| entry);
    let edits = kept.filter_map(|entry| match entry {
        AuditEntry::StateEdit(audited) => Some(*audited),
        AuditEntry::Operation(_) | AuditEntry::Change(_) => None,
    });
    edits.collect()
}

fn outcomes(fixture: &mut Fixture) -> Vec<EditOutcome> {
    audit(fixture).into_iter().map(|audited| audited.outcome).collect()
}

fn waiting(fixture: &mut Fixture) -> usize {
    fixture.tables().walk_waiting_edits(&Within::All, None, ALL).count()
}

/// Ends an invocation that runs as `name`.
fn end(fixture: &mut Fixture, name: crate::model::ids::AttemptRef) -> Lsn {
    fixture.apply(output(name, "x"));
    let ended = fixture.apply(ended(name));
    invariants::check(&fixture.tables()).unwrap();
    ended
}

fn queued(n: u128) -> EditOutcome {
    EditOutcome::Queued { behind: id(n) }
}

#[test]
fn the_state_of_a_free_key_is_replaced_or_patched_at_once() {
    let mut fixture = Fixture::single();
    let (outcome, after) = edit(&mut fixture, "Counter", replace(&[("a", "1"), ("b", "2")]), None);
    let expected =
        StateSummary { version: version(&[("a", "1"), ("b", "2")]), entries: 2, bytes: 4 };
    assert_eq!((outcome, after), (EditOutcome::Done, Some(expected)));
    let patch = StateChange::Patch {
        set: entries(&[("b", "22"), ("c", "3")]),
        clear: vec![Bytes::from("a"), Bytes::from("unknown")],
    };
    edit_counter(&mut fixture, patch);
    assert_eq!(state(&mut fixture, "Counter"), entries(&[("b", "22"), ("c", "3")]));
    fixture.checkpoint();
    edit_counter(&mut fixture, replace(&[("c", "3"), ("d", "4")]));
    assert_eq!(state(&mut fixture, "Counter"), entries(&[("c", "3"), ("d", "4")]));

    let kept = audit(&mut fixture);
    let [first, second, third] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(first.operator.reason.as_deref(), Some("typo"));
    assert_eq!((first.before.unwrap().entries, first.after), (0, Some(expected)));
    assert_eq!((&*first.service, &*first.key, first.at), ("Counter", "k", first.asked_at));
    assert_eq!((first.is_replacement, second.is_replacement), (true, false));
    assert_eq!((second.before, third.before), (first.after, second.after));
    let whole = |text: &str| Some(Sample::Whole(Bytes::copy_from_slice(text.as_bytes())));
    let changes = |of: &AuditedEdit| {
        let changes = of.changes.iter();
        changes
            .map(|it| (Some(it.key.clone()), it.before.clone(), it.after.clone()))
            .collect::<Vec<_>>()
    };
    let of_second = [
        (whole("b"), whole("2"), whole("22")),
        (whole("c"), None, whole("3")),
        (whole("a"), whole("1"), None),
    ];
    assert_eq!(changes(second), of_second, "what was absent before and after has not changed");
    assert_eq!(changes(third), [(whole("d"), None, whole("4")), (whole("b"), whole("22"), None)]);
}

#[test]
fn another_version_than_the_expected_one_changes_nothing() {
    let mut fixture = Fixture::single();
    edit_counter(&mut fixture, replace(&[("a", "1")]));
    let (known, stale) = (version(&[("a", "1")]), version(&[]));
    let (outcome, now) = edit(&mut fixture, "Counter", set("a", "2"), Some(stale));
    assert_eq!((outcome, now.unwrap().version), (EditOutcome::Conflict, known));
    assert_eq!(state(&mut fixture, "Counter"), entries(&[("a", "1")]));
    let (outcome, _) = edit(&mut fixture, "Counter", set("a", "2"), Some(known));
    assert_eq!(outcome, EditOutcome::Done);
    let kept = audit(&mut fixture).remove(1);
    assert_eq!((kept.before.unwrap().version, kept.after, kept.changes), (known, None, Vec::new()));
}

#[test]
fn edits_wait_in_one_order_with_the_inbox() {
    let mut fixture = Fixture::single();
    let first = fixture.apply(invoked(call_object(1, "k")));
    assert_eq!(edit_counter(&mut fixture, set("a", "before the second")), queued(1));
    let second = fixture.apply(invoked(call_object(2, "k")));
    assert_eq!(edit_counter(&mut fixture, set("b", "after the second")), queued(1));
    assert_eq!(edit_counter(&mut fixture, set("c", "after the second")), queued(1));
    let third = fixture.apply(invoked(call_object(3, "k")));
    assert_eq!(state(&mut fixture, "Counter"), [], "nobody sees its state change under it");
    fixture.checkpoint();
    fixture.effects();

    let started = end(&mut fixture, attempt(first, first));
    let effects = fixture.effects();
    assert!(effects.contains(&format!("start {}@{}", second.0, started.0)), "{effects}");
    assert!(effects.contains("state=[b\"a\"]"), "the edit comes before the start: {effects}");
    assert_eq!(waiting(&mut fixture), 2);
    // The second holds it now.
    assert_eq!(edit_counter(&mut fixture, set("d", "after the third")), queued(2));

    let started = end(&mut fixture, attempt(second, started));
    let effects = fixture.effects();
    assert!(effects.contains(&format!("start {}@{}", third.0, started.0)), "{effects}");
    assert!(effects.contains("state=[b\"a\", b\"b\", b\"c\"]"), "{effects}");

    end(&mut fixture, attempt(third, started));
    assert_eq!((waiting(&mut fixture), state(&mut fixture, "Counter").len()), (0, 4));
    let kept = audit(&mut fixture);
    let (asked, done) = kept.split_at(3);
    assert!(asked.iter().all(|one| one.outcome == queued(1) && one.before.is_none()));
    assert_eq!(done[0].asked_at, asked[0].at);
    assert!(done[0].at > done[0].asked_at);
    let expected =
        [vec![queued(1); 3], vec![EditOutcome::Done, queued(2)], vec![EditOutcome::Done; 3]];
    assert_eq!(outcomes(&mut fixture), expected.concat());
}

#[test]
fn the_version_counts_when_the_turn_of_an_edit_comes() {
    let mut fixture = Fixture::single();
    let holder = fixture.apply(invoked(call_object(1, "k")));
    let after_it = version(&[("n", "1")]);
    let wrong = edit(&mut fixture, "Counter", set("wrong", "x"), Some(version(&[])));
    assert_eq!(wrong, (queued(1), None));
    edit(&mut fixture, "Counter", set("right", "x"), Some(after_it));
    edit(&mut fixture, "Counter", set("late", "x"), Some(after_it));
    let name = attempt(holder, holder);
    let set = Command::SetState { key: Bytes::from("n"), value: Bytes::from("1") };
    fixture.apply(command(name, set));
    end(&mut fixture, name);
    assert_eq!(state(&mut fixture, "Counter"), entries(&[("n", "1"), ("right", "x")]));
    let (done, conflict) = (EditOutcome::Done, EditOutcome::Conflict);
    assert_eq!(outcomes(&mut fixture)[3..], [conflict, done, conflict]);
}

#[test]
fn a_kill_of_the_holder_and_a_cancelled_place_let_edits_through() {
    let mut fixture = Fixture::single();
    fixture.apply(invoked(call_object(1, "k")));
    let operate = |fixture: &mut Fixture, n, operation| {
        let operator = Operator { name: "ada".to_owned(), reason: None };
        let (request, target) = (RequestId(8), id(n));
        fixture.apply(Event::OperationRequested { request, operator, target, operation });
        invariants::check(&fixture.tables()).unwrap();
    };
    fixture.apply(invoked(call_object(2, "k")));
    assert_eq!(edit_counter(&mut fixture, set("a", "1")), queued(1));
    operate(&mut fixture, 2, Operation::Cancel);
    assert_eq!(waiting(&mut fixture), 1, "the holder still runs");
    operate(&mut fixture, 1, Operation::Pause);
    assert_eq!(edit_counter(&mut fixture, set("b", "2")), queued(1));
    operate(&mut fixture, 1, Operation::Kill);
    assert_eq!(state(&mut fixture, "Counter"), entries(&[("a", "1"), ("b", "2")]));
    assert!(fixture.tables().object("Counter", "k").is_none());
}

fn run_id() -> InvocationId {
    Derivation::Plain.workflow(None, "Order", "k")
}

fn run(retention: Retention) -> Event {
    invoked(Invoke { id: run_id(), retention, ..call_workflow(1, "k") })
}

#[test]
fn the_run_of_a_workflow_holds_its_key_until_it_ends() {
    let mut fixture = Fixture::single();
    edit(&mut fixture, "Order", set("a", "1"), None);
    let lsn = fixture.apply(run(Retention { completion_ms: 5000, journal_ms: 5000 }));
    let behind = EditOutcome::Queued { behind: run_id() };
    assert_eq!(edit(&mut fixture, "Order", set("b", "2"), None).0, behind);
    end(&mut fixture, attempt(lsn, lsn));
    assert_eq!(edit(&mut fixture, "Order", set("c", "3"), None).0, EditOutcome::Done);
    assert_eq!(state(&mut fixture, "Order"), entries(&[("a", "1"), ("b", "2"), ("c", "3")]));
    // Its state goes with it, and is not there any more from that moment on.
    fixture.now_ms += 5000;
    let before = edit(&mut fixture, "Order", set("d", "4"), Some(version(&[])));
    assert_eq!(before.0, EditOutcome::Done);
    fixture.apply(Event::CleanupDue { budget_bytes: 0, limit: 100 });
    assert_eq!(state(&mut fixture, "Order"), entries(&[("d", "4")]));
}

#[test]
fn what_waits_for_a_run_that_is_not_retained_goes_with_it() {
    let mut fixture = Fixture::single();
    let lsn = fixture.apply(run(Retention { completion_ms: 0, journal_ms: 0 }));
    edit(&mut fixture, "Order", set("b", "2"), None);
    let name = attempt(lsn, lsn);
    fixture.apply(command(name, Command::Output { result: Err(TerminalFailure::new(500, "no")) }));
    fixture.apply(ended(name));
    invariants::check(&fixture.tables()).unwrap();
    assert_eq!(outcomes(&mut fixture)[1..], [EditOutcome::Done]);
    assert_eq!(state(&mut fixture, "Order"), []);
}

#[test]
fn so_many_edits_wait_and_no_more() {
    let mut fixture = Fixture::single();
    let holder = fixture.apply(invoked(call_object(1, "k")));
    for n in 0..WAITING_MAX {
        assert_eq!(edit_counter(&mut fixture, set("a", &n.to_string())), queued(1));
    }
    assert_eq!(edit_counter(&mut fixture, set("a", "more")), EditOutcome::TooMany);
    end(&mut fixture, attempt(holder, holder));
    assert_eq!(state(&mut fixture, "Counter"), entries(&[("a", "63")]));

    let mut fixture = Fixture::single();
    fixture.apply(invoked(call_object(1, "k")));
    let half = "x".repeat(WAITING_BYTES_MAX / 2);
    assert_eq!(edit_counter(&mut fixture, set("a", &half)), queued(1));
    assert_eq!(edit_counter(&mut fixture, set("b", &half)), EditOutcome::TooMany);
    assert_eq!(outcomes(&mut fixture).last(), Some(&EditOutcome::TooMany));
}

#[test]
fn the_audit_keeps_what_fits_and_counts_the_rest() {
    let mut fixture = Fixture::single();
    let long = "x".repeat(1 << 10);
    edit_counter(&mut fixture, set("short", &long));
    edit_counter(&mut fixture, set("long", &(long.clone() + "x")));
    let kept = audit(&mut fixture);
    assert_eq!(kept[0].changes[0].after, Some(Sample::Whole(Bytes::from(long.clone()))));
    let Some(Sample::Hashed { bytes: 1025, .. }) = kept[1].changes[0].after else {
        panic!("{:?}", kept[1])
    };
    let many: Vec<_> = (0..300).map(|n| (n.to_string(), long.clone())).collect();
    let many: Vec<_> = many.iter().map(|(key, value)| (&**key, &**value)).collect();
    edit_counter(&mut fixture, replace(&many));
    edit_counter(&mut fixture, replace(&[]));
    let kept = audit(&mut fixture).remove(3);
    assert_eq!((kept.changes.len(), kept.changes_omitted), (15, 285));
    assert_eq!((kept.before.unwrap().entries, kept.after.unwrap().version), (300, version(&[])));
}

/// Every invocation of an object or a workflow asks for it when it ends.
#[test]
fn that_no_edit_waits_is_known_without_reading() {
    let mut fixture = Fixture::single();
    let is_known = |fixture: &mut Fixture, is_there: bool| {
        assert_eq!(fixture.tables().has_waiting_edits(), is_there);
        meter::take();
        assert_eq!(fixture.tables().has_waiting_edits(), is_there);
        assert_eq!(meter::take() == 0, !is_there);
    };
    is_known(&mut fixture, false);
    let holder = fixture.apply(invoked(call_object(1, "k")));
    edit_counter(&mut fixture, set("a", "1"));
    is_known(&mut fixture, true);
    end(&mut fixture, attempt(holder, holder));
    is_known(&mut fixture, false);
}
