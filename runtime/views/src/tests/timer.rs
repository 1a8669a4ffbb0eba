//! Tests of timers.

use proptest::prelude::*;
use protocol::{InvocationId, journal::Command};
use runtime_core::{
    event::Event,
    model::{invocation::Invoke, timer::TimerKey},
    tables::Order,
    time::Timestamp,
};

use super::support::{Fixture, budgets, call, id};
use crate::{
    page::{Budget, Cursor},
    timer::{Kind, List, Timer},
};

fn list(after: Option<Cursor>, budget: Budget) -> List {
    List { order: Order::Ascending, after, budget }
}

fn told(timer: &Timer) -> (u64, InvocationId, Kind, Option<u32>) {
    (timer.at.0, timer.invocation, timer.kind, timer.completion)
}

proptest! {
    #[test]
    fn timers_are_shown_in_the_order_of_their_times(
        sleeps in proptest::collection::vec((10_000..10_040u64, 0..3usize, 0..20u8), 0..120),
        budget in budgets(),
    ) {
        let mut fixture = Fixture::default();
        let sleepers = [1, 2, 3].map(|uuid| fixture.invoke(uuid));
        let mut expected = Vec::new();
        for (completion, (wake_up_time_ms, of, chance)) in (1..).zip(sleeps) {
            fixture.command(sleepers[of], Command::Sleep { wake_up_time_ms, completion });
            expected.push((wake_up_time_ms, of, completion));
            if chance == 0 {
                fixture.freeze();
            }
        }
        expected.sort_unstable();
        // Timers that have fired leave removed rows at the beginning.
        fixture.stamp_ms = 20_000;
        for (at, of, completion) in expected.drain(..expected.len() / 3) {
            let timer = TimerKey { at: Timestamp(at), invocation: sleepers[of], completion };
            fixture.apply(Event::TimerFired { timer });
        }
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(at, of, completion)| (at, id(of as u128 + 1), Kind::Sleep, Some(completion)))
            .collect();
        let all: Vec<_> = fixture.read_all(list).iter().map(told).collect();
        prop_assert_eq!(&all, &expected);
        let in_turns: Vec<_> = fixture.read(budget, list, |_| 0).iter().map(told).collect();
        prop_assert_eq!(&in_turns, &expected);
    }
}

#[test]
fn hundreds_of_timers_are_read_in_turns() {
    let mut fixture = Fixture::default();
    let start_at = Some(Timestamp(5000));
    fixture.apply(Event::Invoked(Box::new(Invoke { start_at, ..call(1) })));
    let sleeper = fixture.invoke(2);
    for completion in 1..=300 {
        let wake_up_time_ms = 10_000 - u64::from(completion) * 10;
        fixture.command(sleeper, Command::Sleep { wake_up_time_ms, completion });
        if completion % 110 == 0 {
            fixture.freeze();
        }
    }
    let all = fixture.read_in_turns(list, |_| 20);
    // With all rows in the file, the reads of the invocations count, too.
    fixture.freeze();
    fixture.freeze();
    assert_eq!(fixture.read_in_turns(list, |_| 20), all);
    assert_eq!(all.len(), 301);
    assert_eq!(told(&all[0]), (5000, id(1), Kind::Start, None));
    assert_eq!(told(&all[1]), (7000, id(2), Kind::Sleep, Some(300)));
    assert!(all.is_sorted_by_key(|timer| timer.at));
}

#[test]
fn looking_for_the_next_timer_hides_none() {
    let mut fixture = Fixture::default();
    let sleeper = fixture.invoke(1);
    assert_eq!(fixture.tables().next_timer(Timestamp(0)), None);
    for (completion, wake_up_time_ms) in [(1, 9000), (2, 8000)] {
        fixture.command(sleeper, Command::Sleep { wake_up_time_ms, completion });
        assert_eq!(fixture.tables().next_timer(Timestamp(0)), Some(Timestamp(wake_up_time_ms)));
    }
    assert_eq!(fixture.read_all(list).len(), 2);
}
