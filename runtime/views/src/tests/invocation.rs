//! Tests of invocation views.

use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::TerminalFailure;
use runtime_core::{
    Lsn,
    model::invocation::{AfterFailure, StatusKind},
};

use super::support::{Fixture, budgets, id};
use crate::{
    invocation::{List, One},
    page::Budget,
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
