//! A crash, a power cut or an error at every operation of a small script.

use super::*;

#[test]
fn at_every_write_and_sync_a_crash_loses_nothing_acknowledged() {
    let disk = SimDisk::default();
    script(&disk);
    let operations = disk.operations();
    assert!(operations > 45);
    for at in 1..=operations + 1 {
        for seed in 0..24 {
            let disk = SimDisk::new(seed);
            disk.power_cut_at(at);
            let mut known = script(&disk);
            let what = format!("operation {at}, seed {seed}");
            let log = ManualLog::open(disk.crash(chooser(seed)), SEGMENT_BYTES);
            known.check(&log.unwrap_or_else(|error| panic!("{what}: {error}")), &what);
        }
    }
}

/// A process that dies leaves the page cache as it is, and the next process may trust it. Then the
/// power is cut: what the second process found and acknowledged must be there.
#[test]
fn what_was_found_after_any_error_is_durable() {
    let disk = SimDisk::default();
    script(&disk);
    for at in 1..=disk.operations() {
        for seed in 0..12 {
            let disk = SimDisk::new(seed);
            disk.fail_at(at);
            let mut known = script(&disk);
            for life in 0..2 {
                let what = format!("an error at operation {at}, seed {seed}, life {life}");
                let log = ManualLog::open(disk.clone(), SEGMENT_BYTES)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                known.check(&log, &what);
                known.append(&log, life);
            }
            let what = format!("power cut after an error at operation {at}, seed {seed}");
            let log = ManualLog::open(disk.crash(chooser(seed)), SEGMENT_BYTES)
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            known.check(&log, &what);
        }
    }
}

/// Opening is interrupted at each of its operations, by an error or a power cut, and then repeated.
#[test]
fn an_interrupted_recovery_is_begun_again() {
    for seed in 0..60 {
        let disk = SimDisk::new(seed);
        disk.power_cut_at(45 + seed % 20);
        let known = script(&disk);
        let torn = disk.crash(chooser(seed));
        let whole = torn.crash(|_| 1);
        ManualLog::open(whole.clone(), SEGMENT_BYTES).unwrap();
        for at in 1..=whole.operations() {
            for is_power_cut in [false, true] {
                let (acked, pushed) = (known.acked.clone(), known.pushed.clone());
                let mut known = Known { acked, pushed, told: Vec::new() };
                let disk = torn.crash(|_| 1);
                if is_power_cut {
                    disk.power_cut_at(at)
                } else {
                    disk.fail_at(at)
                }
                let what = format!("seed {seed}, operation {at}, power cut: {is_power_cut}");
                if let Ok(log) = ManualLog::open(disk.clone(), SEGMENT_BYTES) {
                    known.check(&log, &what);
                }
                let disk = if is_power_cut { disk.crash(chooser(seed)) } else { disk };
                for life in 0..3 {
                    let log = ManualLog::open(disk.clone(), SEGMENT_BYTES)
                        .unwrap_or_else(|error| panic!("{what}, life {life}: {error}"));
                    known.check(&log, &what);
                }
                let log = ManualLog::open(disk.crash(chooser(seed + at)), SEGMENT_BYTES)
                    .unwrap_or_else(|error| panic!("{what}, crashed again: {error}"));
                known.check(&log, &what);
                known.append(&log, 2);
            }
        }
    }
}

/// A segment that was being created takes up space until it is removed.
#[test]
fn a_segment_that_was_never_finished_is_removed() {
    let disk = SimDisk::default();
    ManualLog::open(disk.clone(), SEGMENT_BYTES).unwrap();
    disk.tamper(&segment::unfinished_name(2), |content| content.resize(99, 1));
    ManualLog::open(disk.clone(), SEGMENT_BYTES).unwrap();
    assert_eq!(disk.list().unwrap(), [file_name(1)]);
}

#[test]
fn a_crash_puts_something_at_risk() {
    let disk = SimDisk::default();
    let operations = {
        script(&disk);
        disk.operations()
    };
    let (mut bytes, mut entries, mut removals) = (0, 0, 0);
    for at in 1..=operations {
        let disk = SimDisk::default();
        disk.power_cut_at(at);
        script(&disk);
        assert!(disk.has_lost_power());
        let at_risk = disk.at_risk();
        bytes += u64::from(at_risk.bytes > 0);
        entries += u64::from(at_risk.entries > 0);
        removals += u64::from(at_risk.removals > 0);
    }
    assert!(bytes >= 12 && entries >= 3 && removals >= 1, "{bytes} {entries} {removals}");
}

/// What a failed sync should have written is visible until a crash, and no later sync writes it.
#[test]
fn the_simulated_page_cache_lies_after_an_error() {
    let disk = SimDisk::default();
    let mut file = disk.create("a").unwrap();
    disk.append(&mut file, b"one").unwrap();
    disk.fail_next(Operation::Sync);
    disk.sync(&mut file).unwrap_err();
    disk.append(&mut file, b"two").unwrap();
    disk.sync(&mut file).unwrap();
    disk.sync_dir().unwrap();
    assert_eq!(content(&disk, "a"), b"onetwo");
    assert_eq!(disk.at_risk().bytes, 3);
    assert_eq!(content(&disk.crash(|_| 1), "a"), b"\0\0\0two");
}
