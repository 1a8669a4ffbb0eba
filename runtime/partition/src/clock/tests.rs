//! Clocks that are set forward and back, while the node runs and across a restart.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// A date far from both ends of the range.
const START_US: u64 = 1_700_000_000_000_000;
const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3600 * SECOND;

/// A machine whose clocks are moved by hand.
#[derive(Debug, Clone)]
struct Machine(Arc<(AtomicU64, AtomicU64)>);

impl Machine {
    fn new(wall_us: u64) -> Self {
        Self(Arc::new((AtomicU64::new(77 * SECOND), AtomicU64::new(wall_us))))
    }

    fn pass(&self, by_us: u64) {
        self.0.0.fetch_add(by_us, Ordering::Relaxed);
        self.0.1.fetch_add(by_us, Ordering::Relaxed);
    }

    fn set_wall(&self, wall_us: u64) {
        self.0.1.store(wall_us, Ordering::Relaxed);
    }
}

impl TimeSource for Machine {
    fn boot_us(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }

    fn wall_us(&self) -> u64 {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// How long a sleep of `length_us` on our clock takes; the clock is read every millisecond.
fn sleep(clock: &NodeClock<Machine>, machine: &Machine, length_us: u64) -> u64 {
    let (due_us, begun_us) = (clock.now_us() + length_us, machine.boot_us());
    while clock.now_us() < due_us {
        let before_us = clock.now_us();
        machine.pass(1000);
        assert!(clock.now_us() > before_us, "it stands still");
    }
    machine.boot_us() - begun_us
}

fn assert_exact(took_us: u64, length_us: u64) {
    let may_be_off_us = length_us / 1000 + 1001; // One reading interval, and rounding.
    assert!(took_us.abs_diff(length_us) <= may_be_off_us, "{length_us} us took {took_us}");
}

#[test]
fn a_step_of_the_wall_moves_no_sleep() {
    for wall_us in [START_US + HOUR, START_US - HOUR, 0, START_US + 30 * SECOND] {
        let machine = Machine::new(START_US);
        let clock = NodeClock::on(machine.clone());
        assert_exact(sleep(&clock, &machine, 5 * SECOND), 5 * SECOND);
        let (due_us, begun_us) = (clock.now_us() + 10 * SECOND, machine.boot_us());
        machine.pass(3 * SECOND);
        machine.set_wall(wall_us);
        while clock.now_us() < due_us {
            machine.pass(1000);
        }
        assert_exact(machine.boot_us() - begun_us, 10 * SECOND);
        assert_exact(sleep(&clock, &machine, SECOND), SECOND);
    }
}

#[test]
fn after_a_restart_it_runs_on_from_the_last_stamp() {
    for last_us in [START_US + HOUR, START_US - HOUR, START_US] {
        let machine = Machine::new(START_US);
        let clock = NodeClock::on(machine.clone());
        clock.advance_past(Stamp(last_us));
        assert!(clock.now_us() >= last_us.max(START_US));
        assert!(clock.take(1) > Stamp(last_us));
        for length_us in [2 * SECOND, SECOND, 60 * SECOND] {
            assert_exact(sleep(&clock, &machine, length_us), length_us);
        }
    }
}

#[test]
fn it_comes_to_the_wall_in_the_end() {
    for wall_us in [START_US + 30 * SECOND, START_US - 30 * SECOND] {
        let machine = Machine::new(START_US);
        let clock = NodeClock::on(machine.clone());
        machine.set_wall(wall_us);
        for _ in 0..9 * 3600 {
            machine.pass(SECOND);
            clock.now_us();
        }
        assert!(clock.now_us().abs_diff(clock.wall_us()) <= 1000, "30 s are made up in 8.3 h");
    }
}

#[test]
fn stamps_are_later_than_any_time_told() {
    let machine = Machine::new(START_US);
    let clock = NodeClock::on(machine.clone());
    let first = clock.take(10);
    let next = clock.take(1);
    assert_eq!(next.0, first.0 + 10);
    assert!(clock.now_us() >= next.0);
    machine.pass(SECOND);
    let told_us = clock.now_us();
    assert!(clock.take(1).0 > told_us);
}

#[test]
fn the_systems_clocks_run() {
    let clock = NodeClock::start();
    let year_2020_us = 1_577_836_800 * SECOND;
    assert!(clock.now_us() > year_2020_us && clock.wall_us() > year_2020_us);
    assert!(SystemSource.boot_us() > 0);
}

fn run(discipline: &mut Discipline, at: &mut (u64, u64), seconds: u64) -> Vec<Difference> {
    let mut told = Vec::new();
    for _ in 0..seconds {
        *at = (at.0 + SECOND, at.1 + SECOND);
        told.extend(discipline.observe(at.0, at.1));
    }
    told
}

#[test]
fn a_difference_is_told_once_and_again_when_it_was_gone_or_is_another() {
    let mut at = (0, START_US);
    let mut discipline = Discipline::new(at.0, at.1);
    assert_eq!(run(&mut discipline, &mut at, 100), []);
    at.1 += SECOND / 2;
    assert_eq!(run(&mut discipline, &mut at, 100), [], "that is nothing");
    at.1 += HOUR;
    let ahead = run(&mut discipline, &mut at, 3 * 3600);
    assert!(matches!(ahead[..], [Difference::Ahead { by_us }] if by_us.abs_diff(HOUR) < SECOND));
    at.1 -= 2 * HOUR;
    let behind = run(&mut discipline, &mut at, 100);
    assert!(
        matches!(behind[..], [Difference::Behind { by_us }] if by_us.abs_diff(HOUR) < 20 * SECOND)
    );
    at.1 = discipline.course().now_us(at.0);
    assert_eq!(run(&mut discipline, &mut at, 100), [], "it is gone");
    at.1 -= 2 * SECOND;
    let again = run(&mut discipline, &mut at, 3600);
    assert!(
        matches!(again[..], [Difference::Behind { by_us }] if by_us.abs_diff(2 * SECOND) < 2000)
    );
}

#[test]
fn a_wall_that_runs_away_is_told_of_ever_more_rarely() {
    let mut at = (0, START_US);
    let mut discipline = Discipline::new(at.0, at.1);
    let mut told = 0;
    for _ in 0..24 * 3600 {
        at = (at.0 + SECOND, at.1 + SECOND + SECOND / 100);
        told += usize::from(discipline.observe(at.0, at.1).is_some());
    }
    assert!((5..30).contains(&told), "{told}");
}

proptest! {
    /// Whatever the wall clock does: between any two readings, ours advances by as much as the boot
    /// clock, give or take a thousandth.
    #[test]
    fn ours_runs_with_the_boot_clock(
        steps in proptest::collection::vec((0..5_000_000u64, any::<u64>()), 1..200)
    ) {
        let mut boot_us = 0;
        let mut discipline = Discipline::new(boot_us, START_US);
        let mut shown_us = START_US;
        for (elapsed_us, wall) in steps {
            boot_us += elapsed_us;
            let now_us = discipline.course().now_us(boot_us);
            let ran_us = now_us - shown_us;
            prop_assert!(ran_us.abs_diff(elapsed_us) <= elapsed_us / 1000);
            // Mostly near, now and then nonsense.
            let near_us = START_US + boot_us - HOUR + wall % (2 * HOUR);
            let wall_us = if wall % 7 == 0 { wall >> 8 } else { near_us };
            discipline.observe(boot_us, wall_us);
            prop_assert_eq!(discipline.course().now_us(boot_us), now_us, "looking moves nothing");
            shown_us = now_us;
        }
    }
}
