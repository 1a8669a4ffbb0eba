//! Tests of invocation views.

use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::TerminalFailure;
use runtime_core::{
    Lsn,
    model::{
        ids::AttemptRef,
        invocation::{AfterFailure, Invocation as Row, Status, StatusKind},
    },
    tables::Order,
    time::Timestamp,
};

use super::support::{Fixture, budgets, call_object, id};
use crate::{
    invocation::{Detail, Filter, List, One, Select, Selected},
    page::{Budget, Within},
};

#[test]
fn a_list_goes_on_where_it_has_stopped_whatever_comes_and_ends_meanwhile() {
    let mut fixture = Fixture::default();
    let lsns: Vec<Lsn> = (1..=5).map(|uuid| fixture.invoke(uuid)).collect();
    let list = |after| List {
        statuses: vec![StatusKind::Running, StatusKind::Paused],
        after,
        budget: Budget { rows_max: 2, bytes_max: usize::MAX },
        text_bytes_max: 100,
    };
    let first = fixture.view(list(Lsn(0)));
    assert_eq!(first.rest_after, Some(lsns[1]));
    fixture.fail(lsns[2], AfterFailure::Fail(TerminalFailure::new(409, "enough")));
    fixture.fail(lsns[3], AfterFailure::Pause);
    let second = fixture.view(list(lsns[1]));
    let statuses: Vec<_> = second.rows.iter().map(|(lsn, it)| (*lsn, it.status)).collect();
    assert_eq!(statuses, [(lsns[3], StatusKind::Paused), (lsns[4], StatusKind::Running)]);
    let last = fixture.view(list(lsns[4]));
    assert!(last.rows.is_empty() && last.rest_after.is_none());
}

#[test]
fn one_invocation_is_shown_with_as_much_of_its_texts_as_is_asked_for() {
    let mut fixture = Fixture::default();
    let lsn = fixture.invoke(1);
    fixture.fail(lsn, AfterFailure::Fail(TerminalFailure::new(409, "enough")));
    let shown = fixture.view(One { id: id(1), text_bytes_max: 200 }).unwrap();
    assert_eq!((shown.target.as_str(), shown.status), ("Greeter/greet", StatusKind::Completed));
    assert_eq!(shown.completion_failure.as_deref(), Some("[409] enough"));
    let message = shown.last_failure.unwrap().message;
    assert!(message.len() <= 200 && message.ends_with("[cut: this was 3000 bytes]"), "{message}");
    assert_eq!(fixture.view(One { id: id(2), text_bytes_max: 200 }), None);
}

#[derive(Debug, Clone)]
enum Step {
    Invoke,
    /// Pauses the nth invocation if it is running.
    Pause(usize),
    /// Ends the nth invocation if it is running.
    End(usize),
    Freeze,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Invoke),
        2 => (0..60usize).prop_map(Step::Pause),
        2 => (0..60usize).prop_map(Step::End),
        1 => Just(Step::Freeze),
    ]
}

proptest! {
    #[test]
    fn pages_of_any_size_have_what_is_wanted_once_and_in_order(
        steps in proptest::collection::vec(step(), 0..120),
        budget in budgets(),
        wanted in proptest::sample::subsequence(
            &[StatusKind::Running, StatusKind::Paused, StatusKind::Completed][..], 0..4,
        ),
    ) {
        let mut fixture = Fixture::default();
        let mut statuses = BTreeMap::new();
        for step in steps {
            let nth = |n| {
                let (lsn, kind) = statuses.iter().nth(n)?;
                (*kind == StatusKind::Running).then_some(*lsn)
            };
            match step {
                Step::Invoke => {
                    let lsn = fixture.invoke(statuses.len() as u128);
                    statuses.insert(lsn, StatusKind::Running);
                }
                Step::Pause(n) => if let Some(lsn) = nth(n) {
                    fixture.fail(lsn, AfterFailure::Pause);
                    statuses.insert(lsn, StatusKind::Paused);
                }
                Step::End(n) => if let Some(lsn) = nth(n) {
                    fixture.fail(lsn, AfterFailure::Fail(TerminalFailure::new(409, "enough")));
                    statuses.insert(lsn, StatusKind::Completed);
                }
                Step::Freeze => fixture.freeze(),
            }
        }
        let expected: Vec<_> =
            statuses.into_iter().filter(|(_, kind)| wanted.contains(kind)).collect();
        let (mut found, mut after) = (Vec::new(), Lsn(0));
        loop {
            let page =
                fixture.view(List { statuses: wanted.clone(), after, budget, text_bytes_max: 1 });
            prop_assert!(page.rows.len() <= budget.rows_max);
            // A failed invocation has a message of 3000 bytes, which exceeds every byte budget but
            // `usize::MAX`.
            let before_last = page.rows.iter().rev().skip(1);
            let large = before_last.filter(|(_, it)| it.status != StatusKind::Running).count();
            prop_assert!(large * 3000 < budget.bytes_max);
            found.extend(page.rows.into_iter().map(|(lsn, it)| (lsn, it.status)));
            let Some(rest_after) = page.rest_after else { break };
            prop_assert!(rest_after > after);
            after = rest_after;
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn entries_that_have_left_an_index_count_as_read() {
    let mut fixture = Fixture::default();
    let lsns: Vec<Lsn> = (1..=300).map(|uuid| fixture.invoke(uuid)).collect();
    fixture.freeze();
    let enough = || AfterFailure::Fail(TerminalFailure::new(409, "enough"));
    lsns[..299].iter().for_each(|lsn| fixture.fail(*lsn, enough()));
    let budget = Budget { rows_max: 100, bytes_max: usize::MAX };
    let list =
        |after| List { statuses: vec![StatusKind::Running], after, budget, text_bytes_max: 1 };
    let first = fixture.view(list(Lsn(0)));
    assert_eq!((first.rows.len(), first.rest_after), (0, Some(lsns[99])));
    let last = fixture.view(list(lsns[250]));
    assert_eq!((last.rows.len(), last.rest_after), (1, None));
}

/// Applies the steps to invocations of a few objects.
fn objects(steps: &[Step]) -> (Fixture, Vec<Lsn>) {
    let (mut fixture, mut lsns) = (Fixture::default(), Vec::new());
    for step in steps {
        match step {
            Step::Invoke => {
                let nth = lsns.len();
                let (service, key) = (["A", "B"][nth % 2], ["x", "y", "z"][nth % 3]);
                lsns.push(fixture.apply(call_object(nth as u128, service, key)));
            }
            Step::Pause(n) | Step::End(n) => {
                let Some(lsn) = lsns.get(*n).copied() else { continue };
                let tables = fixture.tables();
                let Status::Running { attempt } = tables.invocation(lsn).unwrap().status else {
                    continue;
                };
                let failure = TerminalFailure::new(409, "enough");
                let next = match step {
                    Step::End(_) => AfterFailure::Fail(failure),
                    Step::Invoke | Step::Pause(_) | Step::Freeze => AfterFailure::Pause,
                };
                fixture.fail_attempt(AttemptRef { invocation: lsn, attempt }, next);
            }
            Step::Freeze => fixture.freeze(),
        }
    }
    (fixture, lsns)
}

/// Whether an invocation matches a filter.
fn matches(filter: &Filter, row: &Row) -> bool {
    let is_within = match &filter.within {
        Within::All => true,
        Within::Service(service) => row.target.service == *service,
        Within::Key { service, key } => row.target.service == *service && row.target.key == *key,
    };
    let is_named = filter.ids.as_ref().is_none_or(|ids| ids.contains(&row.id));
    let kind = row.status.kind();
    let has_status = filter.statuses.as_ref().is_none_or(|wanted| wanted.contains(&kind));
    let is_of_time = (filter.created_from..=filter.created_until).contains(&row.created_at);
    is_within && is_named && has_status && is_of_time
}

fn filter() -> impl Strategy<Value = Filter> {
    let ids = proptest::option::weighted(0.2, proptest::collection::vec(0..70u128, 0..5));
    let within = prop_oneof![
        3 => Just(Within::All),
        2 => Just(Within::Service("A".to_owned())),
        2 => Just(Within::Key { service: "B".to_owned(), key: "y".to_owned() }),
    ];
    let statuses = proptest::option::of(proptest::sample::subsequence(
        &[StatusKind::Running, StatusKind::Inboxed, StatusKind::Paused, StatusKind::Completed][..],
        0..4,
    ));
    let times = (prop_oneof![Just(0), 0..150u64], prop_oneof![Just(u64::MAX), 0..150u64]);
    (ids, within, statuses, times).prop_map(|(ids, within, statuses, (from, until))| Filter {
        ids: ids.map(|uuids| uuids.into_iter().map(id).collect()),
        within,
        statuses,
        created_from: Timestamp(from),
        created_until: Timestamp(until),
        ..Filter::ALL
    })
}

proptest! {
    #[test]
    fn whatever_index_is_chosen_a_selection_has_all_that_matches_once_and_in_order(
        steps in proptest::collection::vec(step(), 0..120),
        filter in filter(),
        order in proptest::option::of(prop_oneof![Just(Order::Ascending), Just(Order::Descending)]),
        budget in budgets(),
    ) {
        let (mut fixture, lsns) = objects(&steps);
        let all = lsns.iter().map(|lsn| (*lsn, fixture.tables().invocation(*lsn).unwrap()));
        let mut expected: Vec<Lsn> = all
            .filter(|(_, row)| matches(&filter, row))
            .map(|(lsn, _)| lsn)
            .collect();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let select = Select {
                filter: filter.clone(), detail: Detail::Row, order, after, budget,
            };
            let page = fixture.view(select);
            prop_assert!(page.rows.len() <= budget.rows_max);
            for selected in page.rows {
                let Selected::Row(lsn, row) = selected else { panic!("{selected:?}") };
                // More than what matches may be selected.
                if matches(&filter, &row) {
                    found.push(lsn);
                }
            }
            after = page.rest_after;
            if after.is_none() {
                break;
            }
        }
        match order {
            Some(Order::Ascending) if filter.ids.is_none() => (),
            Some(Order::Descending) if filter.ids.is_none() => expected.reverse(),
            Some(_) | None => {
                let by_id = filter.ids.iter().flatten();
                let named_twice = by_id.clone().any(|a| by_id.clone().filter(|b| a == *b).count() > 1);
                found.sort_unstable();
                if named_twice {
                    found.dedup();
                }
            }
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn counts_read_no_row() {
    let mut fixture = Fixture::default();
    (0..50).for_each(|uuid| _ = fixture.apply(call_object(uuid, "A", "x")));
    fixture.freeze();
    let budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
    let select = |detail| Select { filter: Filter::ALL, detail, order: None, after: None, budget };
    let tally = |status, count| Selected::Tally("A".to_owned(), status, count);
    let tallies = fixture.view(select(Detail::Tally)).rows;
    assert_eq!(tallies, [tally(StatusKind::Inboxed, 49), tally(StatusKind::Running, 1)]);
    let statuses = Some(vec![StatusKind::Running, StatusKind::Paused]);
    let filter = Filter { statuses, within: Within::Service("A".to_owned()), ..Filter::ALL };
    let running = Select { filter, ..select(Detail::Tally) };
    assert_eq!(fixture.view(running).rows, [tally(StatusKind::Running, 1)]);
    let of_another = fixture.apply(call_object(50, "A", "y"));
    fixture.end(of_another);
    let objects = fixture.view(select(Detail::Object)).rows;
    let expected = [("x", 50), ("y", 1)];
    let object = |(key, count): (&str, u64)| Selected::Object("A".into(), key.into(), count);
    assert_eq!(objects, expected.map(object));
}
