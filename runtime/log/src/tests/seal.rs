//! When an idle log seals, and what it retries by itself.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::*;
use crate::chores::{Chore, Chores, RETRY_AFTER, SEAL_AFTER};

/// Runs commits at the given times, and the chores in between as the log's thread does; returns the
/// times of the seals.
fn seals(commits: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let (mut chores, mut seals) = (Chores::default(), Vec::new());
    let mut do_until = |chores: &mut Chores, mut now: Duration, until: Duration| {
        while let Some(wait) = chores.wait(now).filter(|wait| now + *wait < until) {
            now += wait;
            while let Some(chore) = chores.due(now) {
                assert_eq!(chore, Chore::Seal);
                seals.push(now);
                chores.committed(now, true);
            }
        }
    };
    let mut now = Duration::ZERO;
    for at in commits {
        do_until(&mut chores, now, at);
        now = at;
        chores.committed(now, false);
        assert_eq!(chores.due(now), None);
    }
    do_until(&mut chores, now, Duration::MAX);
    seals
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_log_under_load_does_not_seal() {
    assert_eq!(seals((0..5000).map(ms)), [ms(4999) + SEAL_AFTER]);
    assert_eq!(seals((0..100).map(|at| ms(at * 99))).len(), 1);
}

#[test]
fn an_idle_log_seals_in_time_and_not_too_often() {
    for interval in [101, 150, 1000] {
        let commits: Vec<Duration> = (0..50).map(|at| ms(at * interval)).collect();
        let seals = seals(commits.iter().copied());
        let expected: Vec<Duration> = commits.iter().map(|at| *at + SEAL_AFTER).collect();
        assert_eq!(seals, expected);
    }
    assert!(SEAL_AFTER <= ms(100));
}

#[test]
fn what_is_owed_is_tried_again_until_it_is_done() {
    let mut chores = Chores::default();
    assert_eq!(chores.wait(ms(0)), None);
    chores.owes(ms(10), true);
    chores.owes(ms(60), true); // Later calls do not postpone it.
    assert_eq!(chores.wait(ms(60)), Some(RETRY_AFTER - ms(50)));
    assert_eq!(chores.due(ms(60)), None);
    assert_eq!(chores.due(ms(10) + RETRY_AFTER), Some(Chore::Retry));
    assert_eq!(chores.due(ms(10) + RETRY_AFTER), None);
    chores.owes(ms(500), true);
    chores.owes(ms(510), false);
    assert_eq!(chores.wait(ms(510)), None);
}

/// Waits for something that the log's thread does on its own.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_thread_seals_and_tries_again_by_itself() {
    let disk = SimDisk::default();
    let log = FileLog::open_on(disk.clone(), 100, &BTreeMap::new()).unwrap();
    let (told, hears) = mpsc::channel();
    for first in 1..=5 {
        let told = told.clone();
        log.append(batch(0, first, 1), Box::new(move |outcome| told.send(outcome).unwrap()));
        hears.recv().unwrap().unwrap();
    }
    let metrics = log.metrics();
    wait_until("a seal", || metrics.seals.load(Ordering::Relaxed) == 1);
    disk.fail_next(Operation::SyncDir);
    log.trim(PartitionId(0), Lsn(4));
    wait_until("a second try", || disk.list().unwrap().len() == 1);
}
