//! Tests of locks and inboxes.

use proptest::prelude::*;
use runtime_core::Lsn;

use super::support::{Fixture, budgets, call_object, id};
use crate::{
    inbox,
    object::{self, Lock},
    page::{Budget, Cursor, Within},
};

const SERVICES: [&str; 2] = ["Cart", "Carton"];
const KEYS: [&str; 4] = ["a", "ab", "a\0", ""];

fn locks(service: Option<&str>) -> impl Fn(Option<Cursor>, Budget) -> object::List {
    let service = service.map(str::to_owned);
    move |after, budget| object::List { service: service.clone(), after, budget }
}

fn inbox(within: Within) -> impl Fn(Option<Cursor>, Budget) -> inbox::List {
    move |after, budget| inbox::List { within: within.clone(), after, budget }
}

fn bytes_of_lock(lock: &Lock) -> usize {
    lock.service.len() + lock.key.len()
}

fn bytes_of_entry(entry: &inbox::Entry) -> usize {
    entry.service.len() + entry.key.len()
}

fn calls() -> impl Strategy<Value = Vec<(usize, usize, bool)>> {
    proptest::collection::vec((0..2usize, 0..KEYS.len(), prop::bool::weighted(0.1)), 0..60)
}

proptest! {
    #[test]
    fn who_came_first_has_the_lock_and_the_others_wait_in_order(
        calls in calls(),
        budget in budgets(),
    ) {
        let mut fixture = Fixture::default();
        let mut arrived = Vec::new();
        for (uuid, (service, key, freezes)) in (1..).zip(calls) {
            let place = fixture.apply(call_object(uuid, SERVICES[service], KEYS[key]));
            arrived.push((SERVICES[service], KEYS[key], place, id(uuid)));
            if freezes {
                fixture.freeze();
            }
        }
        arrived.sort_unstable_by_key(|(service, key, place, _)| (*service, *key, *place));
        let mut holders = Vec::new();
        let mut waiting = Vec::new();
        for objects in arrived.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1)) {
            let (holder, rest) = objects.split_first().unwrap();
            holders.push((holder.0, holder.1, holder.3, rest.len()));
            waiting.extend_from_slice(rest);
        }
        let seen = fixture.read(budget, locks(None), bytes_of_lock);
        let seen: Vec<_> = seen.iter()
            .map(|lock| (&*lock.service, &*lock.key, lock.holder, lock.queued as usize))
            .collect();
        prop_assert_eq!(&seen, &holders);
        let of_one: Vec<_> = holders.into_iter().filter(|holder| holder.0 == "Cart").collect();
        let seen = fixture.read(budget, locks(Some("Cart")), bytes_of_lock);
        prop_assert_eq!(seen.len(), of_one.len());
        for lock in seen {
            let one = object::One { service: lock.service.clone(), key: lock.key.clone() };
            prop_assert_eq!(fixture.view(one), Some(lock));
        }
        let seen = fixture.read(budget, inbox(Within::All), bytes_of_entry);
        let seen: Vec<_> = seen.iter()
            .map(|it| (&*it.service, &*it.key, it.place, it.invocation))
            .collect();
        prop_assert_eq!(seen, waiting);
    }
}

#[test]
fn an_inbox_of_hundreds_is_read_in_turns_while_it_moves() {
    let mut fixture = Fixture::default();
    let of = |key: &str| Within::Key { service: "Cart".to_owned(), key: key.to_owned() };
    let places: Vec<Lsn> = (1..=300)
        .map(|uuid| {
            if uuid % 90 == 0 {
                fixture.freeze();
            }
            fixture.apply(call_object(uuid, "Cart", "a"))
        })
        .collect();
    fixture.apply(call_object(301, "Cart", "ab"));
    fixture.apply(call_object(302, "Cart", "ab"));
    let all = fixture.read_in_turns(inbox(of("a")), bytes_of_entry);
    assert!(all.iter().map(|entry| entry.place).eq(places[1..].iter().copied()));
    assert_eq!((all[0].invocation, all[0].since.0), (id(2), 2));
    assert_eq!(fixture.read_all(inbox(of("ab"))).len(), 1);
    let one = || object::One { service: "Cart".to_owned(), key: "a".to_owned() };
    let lock = fixture.view(one()).unwrap();
    assert_eq!((lock.holder, lock.holder_created, lock.queued), (id(1), places[0], 299));
    // When the first ends, the next one gets the lock.
    fixture.end(places[0]);
    let lock = fixture.view(one()).unwrap();
    assert_eq!((lock.holder, lock.holder_created, lock.queued), (id(2), places[1], 298));
    let all = fixture.read_in_turns(inbox(of("a")), bytes_of_entry);
    assert_eq!((all.len(), all[0].invocation), (298, id(3)));
    assert_eq!(fixture.view(object::One { service: "Cart".to_owned(), key: "b".to_owned() }), None);
}

#[test]
fn the_locks_of_hundreds_of_objects_are_read_in_turns() {
    let mut fixture = Fixture::default();
    for uuid in 1..=300 {
        fixture.apply(call_object(uuid, "Cart", &format!("{uuid:03}")));
        if uuid % 80 == 0 {
            fixture.freeze();
        }
    }
    let all = fixture.read_in_turns(locks(Some("Cart")), bytes_of_lock);
    assert!(all.iter().map(|lock| lock.holder).eq((1..=300).map(id)));
    assert_eq!(fixture.read_all(locks(Some("Ca"))), []);
}
