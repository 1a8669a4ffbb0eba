//! A full disk: nothing is lost, no append fails, and the log recovers by itself.

use std::sync::atomic::Ordering;

use super::*;

const NOBODY: Owner = Owner { directory: 0, partitions: 0 };
const OPTIONS: LogOptions =
    LogOptions { segment_bytes: 4096, reserve_bytes: 2048, step_bytes: 1024, owner: NOBODY };

/// Appends one batch and returns the receiver of its outcome.
fn append(log: &dyn Log, first: u64) -> mpsc::Receiver<Result<(), AppendError>> {
    let (told, hears) = mpsc::channel();
    log.append(batch(0, first, 1), Box::new(move |outcome| told.send(outcome).unwrap()));
    hears
}

/// Appends until the log is short of space; returns the next LSN. Everything is acknowledged.
fn fill_until_short(log: &ManualLog<SimDisk>) -> u64 {
    let mut next = log.last_lsn(PartitionId(0)).0 + 1;
    while !log.is_short() {
        let hears = append(log, next);
        assert!(log.commit());
        hears.try_recv().unwrap().unwrap();
        next += 1;
    }
    next
}

/// Appends until a batch has to wait; returns its LSN and the receiver of its outcome.
fn fill(log: &ManualLog<SimDisk>) -> (u64, mpsc::Receiver<Result<(), AppendError>>) {
    let mut next = log.last_lsn(PartitionId(0)).0 + 1;
    loop {
        let hears = append(log, next);
        if !log.commit() {
            return (next, hears);
        }
        hears.try_recv().unwrap().unwrap();
        next += 1;
        assert!(next < 1000, "the disk is never full");
    }
}

#[test]
fn a_log_is_short_before_anything_has_to_wait() {
    let disk = SimDisk::default();
    disk.set_capacity_bytes(Some(20_000));
    let log = ManualLog::open(disk.clone(), OPTIONS).unwrap();
    assert!(!log.is_short() && log.room_bytes() >= OPTIONS.reserve_bytes * 7 / 8);
    let short = fill_until_short(&log);
    let room = log.room_bytes();
    assert!(room < OPTIONS.reserve_bytes && room > OPTIONS.reserve_bytes / 2, "{room}");
    let (waits, hears) = fill(&log);
    assert!(waits - short > 10, "the reserve takes {short} to {waits}");
    assert!(log.has_pending() && log.owes());
    // No outcome is reported, and later batches wait too.
    let (later, barred) = (append(&log, waits + 1), mpsc::channel());
    log.append(barrier(), Box::new(move |outcome| barred.0.send(outcome).unwrap()));
    log.retry();
    assert!(hears.try_recv().is_err() && later.try_recv().is_err() && barred.1.try_recv().is_err());
    // With space available again all outcomes are reported, in order, and the log is no longer
    // short.
    disk.set_capacity_bytes(Some(40_000));
    log.retry();
    for hears in [hears, later, barred.1] {
        hears.try_recv().unwrap().unwrap();
    }
    assert!(!log.is_short() && !log.owes());
    drop(log);
    let log = ManualLog::open(disk.crash(|_| 0), OPTIONS).unwrap();
    assert_eq!(read(&log, 0, 1), expected(0, 1, waits + 1));
}

#[test]
fn what_fits_the_room_is_not_held_up_by_what_does_not() {
    let disk = SimDisk::default();
    disk.set_capacity_bytes(Some(9_000));
    let log = ManualLog::open(disk.clone(), OPTIONS).unwrap();
    fill_until_short(&log);
    let next = log.last_lsn(PartitionId(0)).0 + 1;
    let small = append(&log, next);
    let (told, large) = mpsc::channel();
    let records = vec![Bytes::from(vec![1; 4000])];
    log.append(
        Batch { partition: PartitionId(1), first_lsn: Lsn(1), records },
        Box::new(move |outcome| told.send(outcome).unwrap()),
    );
    assert!(!log.commit());
    small.try_recv().unwrap().unwrap();
    assert!(large.try_recv().is_err());
    disk.set_capacity_bytes(None);
    assert!(log.commit());
    large.try_recv().unwrap().unwrap();
}

/// Where space cannot be allocated, a write hits the full disk and leaves part of itself behind.
#[test]
fn a_partial_append_is_cut_and_written_again() {
    for cut_fails in [false, true] {
        let disk = SimDisk::default();
        disk.set_allocation(false);
        disk.set_capacity_bytes(Some(3_000));
        let log = ManualLog::open(disk.clone(), OPTIONS).unwrap();
        assert!(!log.is_short());
        if cut_fails {
            disk.fail_next(Operation::Truncate);
        }
        let (waits, hears) = fill(&log);
        assert!(log.is_short() && log.room_bytes() == 0);
        // A crash at this point keeps what was acknowledged; part of the rest may be there.
        let after = disk.crash(|_| 1);
        after.set_capacity_bytes(None);
        let last = ManualLog::open(after, OPTIONS).unwrap().last_lsn(PartitionId(0)).0;
        assert_eq!(last, waits - 1);
        log.retry();
        assert!(log.is_short() && hears.try_recv().is_err());
        disk.set_capacity_bytes(Some(6_000));
        log.retry();
        hears.try_recv().unwrap().unwrap();
        assert!(!log.is_short() && log.room_bytes() == u64::MAX);
        drop(log);
        let log = ManualLog::open(disk.crash(|_| 0), OPTIONS).unwrap();
        assert_eq!(read(&log, 0, 1), expected(0, 1, waits));
    }
}

/// The write that hit the full disk may have been a seal, which no caller waits for.
#[test]
fn a_log_that_has_nothing_to_write_finds_out_that_there_is_room_again() {
    let disk = SimDisk::default();
    disk.set_allocation(false);
    let log = ManualLog::open(disk.clone(), OPTIONS).unwrap();
    let hears = append(&log, 1);
    assert!(log.commit());
    hears.try_recv().unwrap().unwrap();
    disk.set_capacity_bytes(Some(disk.used_bytes() + 3));
    log.seal().unwrap();
    assert!(log.is_short() && !log.has_pending() && log.owes());
    log.retry();
    assert!(log.is_short());
    disk.set_capacity_bytes(None);
    log.retry();
    assert!(!log.is_short() && !log.owes());
    let syncs = log.metrics().syncs.load(Ordering::Relaxed);
    log.retry();
    assert_eq!(log.metrics().syncs.load(Ordering::Relaxed), syncs, "once is enough");
}

/// New work is refused while a log is short of space, so a failure at that time would otherwise go
/// unnoticed.
#[test]
fn a_log_that_fails_while_it_is_short_does_not_keep_it_to_itself() {
    let disk = SimDisk::default();
    disk.set_capacity_bytes(Some(20_000));
    let log = ManualLog::open(disk.clone(), OPTIONS).unwrap();
    let next = fill_until_short(&log);
    disk.fail_next(Operation::Sync);
    log.seal().unwrap_err();
    assert!(!log.is_short() && !log.owes());
    let hears = append(&log, next);
    assert!(log.commit());
    hears.try_recv().unwrap().unwrap_err();
}

#[test]
fn a_segment_grows_on_when_there_is_no_room_for_the_next() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), OPTIONS).unwrap();
    disk.set_capacity_bytes(Some(7_000));
    let (waits, _hears) = fill(&log);
    assert_eq!(disk.list().unwrap(), [file_name(1)]);
    assert!(disk.len(&file_name(1)).unwrap() > OPTIONS.segment_bytes + 2000);
    disk.set_capacity_bytes(None);
    log.retry();
    let hears = append(&log, waits + 1);
    assert!(log.commit());
    hears.try_recv().unwrap().unwrap();
    assert_eq!(disk.list().unwrap().len(), 2, "the next one is begun when there is");
}

/// The space that a full log waits for may be held by the log itself.
#[test]
fn trimming_makes_room_on_a_full_disk() {
    for is_waiting in [false, true] {
        let disk = SimDisk::default();
        disk.set_capacity_bytes(Some(8_000));
        let log = ManualLog::open(disk.clone(), OPTIONS).unwrap();
        let short = fill_until_short(&log);
        let waits = is_waiting.then(|| fill(&log));
        let last = waits.as_ref().map_or(short, |(waits, _)| *waits) - 1;
        log.seal().unwrap();
        log.trim(PartitionId(0), Lsn(last));
        log.retry();
        if let Some((_, hears)) = waits {
            hears.try_recv().unwrap().unwrap();
        }
        assert!(!log.is_short() && !log.owes());
        assert_eq!(log.oldest(PartitionId(0)), Lsn(last + 1));
    }
}

#[test]
fn a_log_opens_on_a_full_disk() {
    let disk = SimDisk::default();
    disk.set_capacity_bytes(Some(12_000));
    let log = ManualLog::open(disk.clone(), OPTIONS).unwrap();
    let (waits, _hears) = fill(&log);
    drop(log);
    for life in 0..3 {
        disk.set_capacity_bytes(Some(disk.used_bytes() + 700));
        let log = ManualLog::open(disk.clone(), OPTIONS)
            .unwrap_or_else(|error| panic!("life {life}: {error}"));
        assert_eq!(read(&log, 0, 1), expected(0, 1, waits - 1));
        assert!(log.is_short() && log.owes());
    }
}

/// Faults are injected, the disk is full from time to time, and in the end the power is cut.
#[test]
fn nothing_acknowledged_is_lost_on_a_disk_that_is_full_now_and_then() {
    for seed in 0..400 {
        let mut choose = chooser(seed);
        let disk = SimDisk::new(seed);
        disk.set_allocation(choose(3) != 0);
        disk.power_cut_at(60 + choose(200));
        if choose(4) == 0 {
            disk.fail_at(20 + choose(100));
        }
        let mut known = Known::default();
        let options =
            LogOptions { segment_bytes: 900, reserve_bytes: 400, step_bytes: 200, owner: NOBODY };
        while !disk.has_lost_power() {
            let log = match ManualLog::open(disk.clone(), options) {
                Ok(log) => log,
                Err(OpenError::Io { .. }) => {
                    disk.set_capacity_bytes(None);
                    continue;
                }
                Err(error) => panic!("seed {seed}: {error}"),
            };
            for _ in 0..1 + choose(12) {
                let used = disk.used_bytes();
                match choose(4) {
                    0 => disk.set_capacity_bytes(Some(used + choose(300))),
                    1 => disk.set_capacity_bytes(None),
                    2 => log.retry(),
                    _ => drop(log.seal()),
                }
                if !log.has_pending() {
                    known.append(&log, 1);
                }
            }
            if log.has_pending() {
                disk.set_capacity_bytes(None);
                log.retry();
            }
            disk.set_capacity_bytes(None);
            log.retry();
            assert!(!log.is_short(), "seed {seed}: there is space, but the log does not notice");
        }
        disk.set_capacity_bytes(None);
        let what = format!("seed {seed}");
        let log = ManualLog::open(disk.crash(&mut choose), options)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        known.check(&log, &what);
    }
}

#[test]
fn the_thread_waits_for_room_takes_trims_and_stops() {
    let disk = SimDisk::default();
    disk.set_capacity_bytes(Some(12_000));
    let log = FileLog::open_on(disk.clone(), OPTIONS, &BTreeMap::new()).unwrap();
    let mut next = 1;
    while !log.is_short() {
        append(&log, next).recv().unwrap().unwrap();
        next += 1;
    }
    let waiting: Vec<_> = (next..next + 60).map(|first| append(&log, first)).collect();
    // Batches that wait are written once the segments before them are removed.
    log.trim(PartitionId(0), Lsn(next - 1));
    disk.set_capacity_bytes(Some(30_000));
    for hears in waiting {
        hears.recv().unwrap().unwrap();
    }
    next += 60;
    // Batches that still wait when the log is dropped get no outcome.
    disk.set_capacity_bytes(Some(0));
    let waiting: Vec<_> = (next..next + 300).map(|first| append(&log, first)).collect();
    drop(log);
    let mut outcomes = waiting.iter().map(mpsc::Receiver::try_recv);
    let durable = outcomes.by_ref().take_while(|outcome| outcome.is_ok()).count();
    assert!(durable < 300 && outcomes.all(|outcome| outcome.is_err()));
    disk.set_capacity_bytes(None);
    let log = ManualLog::open(disk, OPTIONS).unwrap();
    assert_eq!(log.last_lsn(PartitionId(0)).0, next - 1 + durable as u64);
}
