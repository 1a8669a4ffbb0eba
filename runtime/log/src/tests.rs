//! Acknowledged is durable, whatever is lost; and damage is named.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

use super::*;
use crate::{
    disk::{Disk, RealDisk},
    frame::HEADER_BYTES,
    segment::file_name,
    sim_disk::SimDisk,
};

const SEGMENT_BYTES: u64 = 600;

fn payload(partition: u16, lsn: u64) -> Bytes {
    Bytes::from(format!("record {lsn} of {partition} {}", "x".repeat((lsn % 40) as usize)))
}

fn batch(partition: u16, first: u64, count: u64) -> Batch {
    let records = (first..first + count).map(|lsn| payload(partition, lsn)).collect();
    Batch { partition: PartitionId(partition), first_lsn: Lsn(first), records }
}

fn read(log: &dyn Log, partition: u16, from: u64) -> Vec<(u64, Bytes)> {
    let records = log.read(PartitionId(partition), Lsn(from));
    records.map(|record| record.map(|(lsn, bytes)| (lsn.0, bytes)).unwrap()).collect()
}

fn expected(partition: u16, from: u64, to: u64) -> Vec<(u64, Bytes)> {
    (from..=to).map(|lsn| (lsn, payload(partition, lsn))).collect()
}

fn chooser(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |n| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Appends a script of batches for two partitions, several to a commit; returns the last record of
/// each partition that was acknowledged, and those that were handed over.
fn script(disk: &SimDisk) -> (BTreeMap<u16, u64>, BTreeMap<u16, u64>) {
    let (acknowledged, told) = mpsc::channel();
    let (mut acked, mut pushed) = (BTreeMap::new(), BTreeMap::new());
    let Ok(log) = ManualLog::open(disk.clone(), SEGMENT_BYTES) else { return (acked, pushed) };
    for round in 0..12u64 {
        for partition in [0, 1] {
            let last = log.last_lsn(PartitionId(partition)).0;
            let count = 1 + (round + u64::from(partition)) % 3;
            let acknowledged = acknowledged.clone();
            pushed.insert(partition, last + count);
            log.append(
                batch(partition, last + 1, count),
                Box::new(move |outcome| {
                    if outcome.is_ok() {
                        acknowledged.send((partition, last + count)).unwrap();
                    }
                }),
            );
        }
        log.commit();
        if round == 6 {
            log.trim(PartitionId(0), Lsn(4));
            log.trim(PartitionId(1), Lsn(4));
        }
        if round == 9 {
            let _ = log.seal();
        }
    }
    drop(acknowledged);
    acked.extend(told);
    (acked, pushed)
}

#[test]
fn at_every_write_and_sync_a_crash_loses_nothing_acknowledged() {
    let disk = SimDisk::default();
    script(&disk);
    let operations = disk.operations();
    assert!(operations > 30);
    for fail_at in 1..=operations + 1 {
        for seed in 0..24 {
            let disk = SimDisk::default();
            disk.fail_at(fail_at);
            let (acked, pushed) = script(&disk);
            let after = disk.crash(chooser(seed));
            let log = match ManualLog::open(after, SEGMENT_BYTES) {
                Ok(log) => log,
                Err(error) => panic!("operation {fail_at}, seed {seed}: {error}"),
            };
            for partition in [0, 1] {
                let acked = acked.get(&partition).copied().unwrap_or(0);
                let last = log.last_lsn(PartitionId(partition)).0;
                let pushed = pushed.get(&partition).copied().unwrap_or(0);
                assert!(
                    (acked..=pushed).contains(&last),
                    "operation {fail_at}, seed {seed}: {acked} acknowledged, {last} found"
                );
                assert_eq!(read(&log, partition, 5), expected(partition, 5, last));
            }
        }
    }
}

#[test]
fn many_batches_are_one_sync() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 1 << 20).unwrap();
    let before = disk.syncs();
    for partition in 0..50 {
        log.append(batch(partition, 1, 2), Box::new(|outcome| outcome.unwrap()));
    }
    log.commit();
    assert_eq!(disk.syncs() - before, 1);
    let barrier = Batch { partition: PartitionId(0), first_lsn: Lsn(0), records: Vec::new() };
    let (told, hears) = mpsc::channel();
    log.append(barrier, Box::new(move |outcome| told.send(outcome.is_ok()).unwrap()));
    log.commit();
    assert!(hears.recv().unwrap());
    assert_eq!(disk.syncs() - before, 1, "a barrier needs no sync of its own");
}

#[test]
fn after_one_failure_nothing_is_acknowledged() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 1 << 20).unwrap();
    disk.fail_at(disk.operations() + 2);
    let (told, hears) = mpsc::channel();
    for first in 1..=2 {
        let told = told.clone();
        log.append(batch(0, first, 1), Box::new(move |outcome| told.send(outcome).unwrap()));
        log.commit();
        assert!(hears.recv().unwrap().unwrap_err().message.contains("injected fault"));
        disk.fail_at(u64::MAX);
    }
}

#[test]
fn a_flipped_bit_is_damage_and_named() {
    let disk = SimDisk::default();
    script(&disk);
    let names = disk.list().unwrap();
    assert!(names.len() > 1);
    for name in &names {
        let content = disk.read(name).unwrap();
        for at in 0..content.len() {
            let copy = disk.crash(|_| 1);
            copy.tamper(name, |content| content[at] ^= 1 << (at % 8));
            let is_last = Some(name) == names.last();
            match ManualLog::open(copy, SEGMENT_BYTES) {
                Err(OpenError::Damaged { file, offset, .. }) => {
                    assert_eq!(&file, name);
                    assert!(offset <= at as u64, "{name} at {at}: {offset}");
                }
                Err(OpenError::Format { file, .. }) => assert_eq!(&file, name),
                Err(error) => panic!("{name} at {at}: {error}"),
                // The last frames of the last segment have nobody who vouches for them.
                Ok(log) => {
                    let commit_bytes_max = 2 * (HEADER_BYTES + 3 * 64);
                    let vouched = content.len().saturating_sub(commit_bytes_max);
                    assert!(is_last && at >= vouched, "{name} at {at} of {}", content.len());
                    drop(log);
                }
            }
        }
    }
}

#[test]
fn a_sealed_log_vouches_for_its_last_batch() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 1 << 20).unwrap();
    log.append(batch(0, 1, 3), Box::new(|outcome| outcome.unwrap()));
    log.commit();
    let end = disk.read(&file_name(1)).unwrap().len();
    log.seal().unwrap();
    drop(log);
    disk.tamper(&file_name(1), |content| content[end - 1] ^= 1);
    assert!(matches!(ManualLog::open(disk, 1 << 20), Err(OpenError::Damaged { .. })));
}

#[test]
fn a_missing_segment_and_a_newer_format_are_refused() {
    let disk = SimDisk::default();
    script(&disk);
    let names = disk.list().unwrap();
    let copy = disk.crash(|_| 1);
    copy.tamper(&names[1], |content| content[11] = 9);
    let error = ManualLog::open(copy, SEGMENT_BYTES).err().unwrap();
    assert!(matches!(error, OpenError::Format { found: 9, .. }), "{error}");
    let copy = disk.crash(|_| 1);
    copy.remove(&names[1]).unwrap();
    let error = ManualLog::open(copy, SEGMENT_BYTES).err().unwrap();
    assert!(matches!(error, OpenError::SegmentMissing { .. }), "{error}");
}

#[test]
fn segments_go_when_no_partition_needs_them() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 100).unwrap();
    log.append(batch(1, 1, 1), Box::new(|_| ()));
    for first in 1..=20 {
        log.append(batch(0, first, 1), Box::new(|_| ()));
        log.commit();
    }
    let all = disk.list().unwrap().len();
    log.trim(PartitionId(0), Lsn(20));
    assert_eq!(disk.list().unwrap().len(), all, "partition 1 still needs the first one");
    log.trim(PartitionId(1), Lsn(1));
    assert_eq!(disk.list().unwrap().len(), 1);
    drop(log);
    // Nothing of partition 1 is left, but its number is known.
    let log = ManualLog::open(disk, 100).unwrap();
    assert_eq!(log.last_lsn(PartitionId(1)), Lsn(1));
    log.append(batch(1, 2, 1), Box::new(|outcome| outcome.unwrap()));
    log.commit();
    assert_eq!(read(&log, 1, 1), expected(1, 2, 2));
}

#[test]
fn a_log_in_files_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let log = FileLog::open(dir.path(), 500).unwrap();
    let (told, hears) = mpsc::channel();
    for first in 1..=30 {
        let told = told.clone();
        log.append(
            batch(0, first, 1),
            Box::new(move |outcome| told.send(outcome.is_ok()).unwrap()),
        );
    }
    assert!((0..30).all(|_| hears.recv().unwrap()));
    assert!(log.metrics().batches.load(Ordering::Relaxed) == 30);
    drop(log);
    let log = FileLog::open(dir.path(), 500).unwrap();
    assert_eq!(read(&log, 0, 1), expected(0, 1, 30));
    // And it is the same log on a plain disk.
    drop(log);
    let log = ManualLog::open(RealDisk::open(dir.path()).unwrap(), 500).unwrap();
    assert_eq!(log.last_lsn(PartitionId(0)), Lsn(30));
}
