//! Tests of state, against a plain map.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::journal::Command;

use super::support::{Fixture, budgets, call_object};
use crate::{
    page::{Budget, Cursor, Within},
    state::{Entry, List, One},
};

/// Names that are prefixes of others, or would be if keys were concatenated carelessly.
const NAMES: [&str; 5] = ["a", "ab", "a\0", "a\0\u{1}b", ""];

#[derive(Debug, Clone)]
enum Step {
    Set { service: usize, key: usize, name: usize, len: usize },
    Clear { service: usize, key: usize, name: usize },
    ClearAll { service: usize, key: usize },
    Freeze,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    prop_oneof![
        12 => (0..2usize, name(), name(), 0..40usize)
            .prop_map(|(service, key, name, len)| Step::Set { service, key, name, len }),
        3 => (0..2usize, name(), name())
            .prop_map(|(service, key, name)| Step::Clear { service, key, name }),
        1 => (0..2usize, name()).prop_map(|(service, key)| Step::ClearAll { service, key }),
        1 => Just(Step::Freeze),
    ]
}

type Model = BTreeMap<(String, String, Bytes), Bytes>;

/// A fixture with one running invocation per object, and the state that it must have.
fn fixture(steps: Vec<Step>) -> (Fixture, Model) {
    let (mut fixture, mut model) = (Fixture::default(), Model::new());
    let mut holders = BTreeMap::new();
    for (uuid, at) in
        (1..).zip((0..2).flat_map(|service| (0..NAMES.len()).map(move |key| (service, key))))
    {
        holders.insert(at, fixture.apply(call_object(uuid, SERVICES[at.0], NAMES[at.1])));
    }
    for step in steps {
        match step {
            Step::Set { service, key, name, len } => {
                let (state_key, value) = (Bytes::from(NAMES[name]), Bytes::from(vec![7; len]));
                let at = (SERVICES[service].to_owned(), NAMES[key].to_owned(), state_key.clone());
                model.insert(at, value.clone());
                fixture
                    .command(holders[&(service, key)], Command::SetState { key: state_key, value });
            }
            Step::Clear { service, key, name } => {
                let state_key = Bytes::from(NAMES[name]);
                let at = (SERVICES[service].to_owned(), NAMES[key].to_owned(), state_key.clone());
                model.remove(&at);
                fixture.command(holders[&(service, key)], Command::ClearState { key: state_key });
            }
            Step::ClearAll { service, key } => {
                model.retain(|at, _| (&*at.0, &*at.1) != (SERVICES[service], NAMES[key]));
                fixture.command(holders[&(service, key)], Command::ClearAllState);
            }
            Step::Freeze => fixture.freeze(),
        }
    }
    (fixture, model)
}

const SERVICES: [&str; 2] = ["Cart", "Carton"];

fn list(within: Within) -> impl Fn(Option<Cursor>, Budget) -> List {
    move |after, budget| List { within: within.clone(), after, budget }
}

fn bytes_of(entry: &Entry) -> usize {
    entry.service.len() + entry.key.len() + entry.state_key.len() + entry.value.len()
}

proptest! {
    #[test]
    fn every_value_is_shown_once_in_order(
        steps in proptest::collection::vec(step(), 0..100),
        budget in budgets(),
    ) {
        let (mut fixture, model) = fixture(steps);
        let one = |service: &str, key: &str| {
            Within::Key { service: service.to_owned(), key: key.to_owned() }
        };
        for within in
            [Within::All, Within::Service("Cart".to_owned()), one("Carton", "a"), one("Cart", "")]
        {
            let is_within = |(service, key, _): &&(String, String, Bytes)| match &within {
                Within::All => true,
                Within::Service(wanted) => wanted == service,
                Within::Key { service: wanted, key: of } => (wanted, of) == (service, key),
            };
            let expected: Vec<_> = model.iter().filter(|(at, _)| is_within(at)).map(entry).collect();
            prop_assert_eq!(fixture.read_all(list(within.clone())), expected.clone());
            prop_assert_eq!(fixture.read(budget, list(within.clone()), bytes_of), expected);
        }
        for ((service, key, state_key), value) in model {
            let seen = fixture.view(One { service, key, state_key });
            prop_assert_eq!(seen, Some(value));
        }
    }
}

fn entry((at, value): (&(String, String, Bytes), &Bytes)) -> Entry {
    let (service, key, state_key) = at.clone();
    Entry { service, key, state_key, value: value.clone() }
}

#[test]
fn hundreds_of_values_are_read_while_others_come_and_go() {
    let mut fixture = Fixture::default();
    let lsn = fixture.apply(call_object(1, "Cart", "k"));
    let name = |n: usize| Bytes::from(format!("{n:03}"));
    for n in 0..400 {
        fixture.command(lsn, Command::SetState { key: name(n), value: Bytes::from(vec![0; n]) });
        if n % 150 == 149 {
            fixture.freeze();
        }
    }
    let list = list(Within::Key { service: "Cart".to_owned(), key: "k".to_owned() });
    let all = fixture.read_in_turns(&list, bytes_of);
    assert!(all.iter().map(|entry| entry.state_key.clone()).eq((0..400).map(name)));
    // Rows that have been shown are removed, including the cursor's own. Those to come still come.
    let budget = Budget { rows_max: 100, bytes_max: usize::MAX };
    let first = fixture.view(list(None, budget));
    (0..100).for_each(|n| _ = fixture.command(lsn, Command::ClearState { key: name(n) }));
    let second = fixture.view(list(first.rest_after, budget));
    assert!(second.rows.iter().map(|entry| entry.state_key.clone()).eq((100..200).map(name)));
    assert_eq!(
        fixture.view(One { service: "Cart".into(), key: "k".into(), state_key: name(0) }),
        None
    );
    // A cursor in the state of one object yields nothing in that of another.
    let other = List {
        within: Within::Key { service: "Cart".to_owned(), key: "l".to_owned() },
        after: second.rest_after,
        budget,
    };
    let seen = fixture.view(other);
    assert!(seen.rows.is_empty() && seen.rest_after.is_none());
}
