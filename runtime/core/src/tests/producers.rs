//! What a producer submits takes effect once, however often it is submitted.

use super::support::*;
use crate::{
    event::Event,
    model::{
        ids::RequestId,
        invocation::{Invoke, Source},
        producer::Position,
    },
};

fn produced(request: u64, n: u128, name: &str, (epoch, offset): (u64, u64)) -> Event {
    let position = Position { epoch, offset };
    let source = Source::Producer { name: name.to_owned(), position };
    let invoke = Box::new(Invoke { source, ..call(n) });
    Event::Produced { request: RequestId(request), invoke }
}

#[test]
fn each_position_counts_once_and_in_its_order() {
    let mut fixture = Fixture::single();
    let mut take = |request, n, name, position| {
        fixture.apply(produced(request, n, name, position));
        let effects = fixture.effects();
        let is_new = effects.contains("produced new=true");
        assert_eq!(effects.contains("start"), is_new, "{effects}");
        assert_ne!(is_new, effects.contains("produced new=false"), "{effects}");
        is_new
    };
    assert!(take(1, 1, "orders/0", (0, 7)));
    assert!(!take(2, 2, "orders/0", (0, 7)), "again, after an answer that was lost");
    assert!(!take(3, 3, "orders/0", (0, 6)), "it began too early");
    assert!(take(4, 4, "orders/0", (0, 9)), "there are gaps");
    assert!(take(5, 5, "orders/1", (0, 9)), "another one");
    assert!(take(6, 6, "orders/0", (1, 0)), "its topic was made anew");
    assert!(!take(7, 7, "orders/0", (0, 10)), "who is still in the old one");
    let tables = fixture.tables();
    assert_eq!(tables.position("orders/0"), Some(Position { epoch: 1, offset: 0 }));
    assert_eq!(tables.position("orders"), None);
}
