//! Segments that are no longer needed are removed, later if necessary, and what is left is known.

use super::*;

fn fill(log: &ManualLog<SimDisk>, partition: u16, lsns: std::ops::RangeInclusive<u64>) {
    for first in lsns {
        log.append(batch(partition, first, 1), Box::new(|outcome| outcome.unwrap()));
        log.commit();
    }
}

fn segments(disk: &SimDisk) -> usize {
    disk.list().unwrap().len()
}

#[test]
fn segments_go_when_no_partition_needs_them() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 100).unwrap();
    log.append(batch(1, 1, 1), Box::new(|_| ()));
    fill(&log, 0, 1..=20);
    let all = segments(&disk);
    log.trim(PartitionId(0), Lsn(19));
    assert_eq!(segments(&disk), all, "partition 1 still needs the first one");
    assert_eq!(log.oldest(PartitionId(0)), Lsn(1));
    log.trim(PartitionId(1), Lsn(1));
    assert_eq!(segments(&disk), 1);
    assert_eq!((log.oldest(PartitionId(0)), log.oldest(PartitionId(1))), (Lsn(20), Lsn(2)));
    assert_eq!(read(&log, 0, 1), expected(0, 20, 20));
    drop(log);
    // No record of partition 1 is left, but its last LSN is known.
    let log = ManualLog::open(disk, 100).unwrap();
    assert_eq!((log.oldest(PartitionId(0)), log.oldest(PartitionId(1))), (Lsn(20), Lsn(2)));
    assert_eq!(log.oldest(PartitionId(7)), Lsn(1), "it never had a record");
    assert_eq!(log.last_lsn(PartitionId(1)), Lsn(1));
    log.append(batch(1, 2, 1), Box::new(|outcome| outcome.unwrap()));
    log.commit();
    assert_eq!(read(&log, 1, 1), expected(1, 2, 2));
}

/// A segment stays exactly as long as the last record in it is needed.
#[test]
fn a_segment_goes_with_its_last_record() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 300).unwrap();
    fill(&log, 0, 1..=20);
    let all = log.read(PartitionId(0), Lsn(1)).count();
    assert_eq!(all, 20);
    let (header, _) = header(&disk, &file_name(2));
    let last = header.last_lsns[&PartitionId(0)];
    log.trim(PartitionId(0), Lsn(last.0 - 1));
    assert!(disk.list().unwrap().contains(&file_name(1)));
    log.trim(PartitionId(0), last);
    assert!(!disk.list().unwrap().contains(&file_name(1)));
    assert_eq!(log.oldest(PartitionId(0)), Lsn(last.0 + 1));
}

/// A segment exceeds its size limit by at most the last commit.
#[test]
fn a_segment_is_closed_when_it_is_full() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 1 << 20).unwrap();
    fill(&log, 0, 1..=3);
    let exactly = disk.len(&file_name(1)).unwrap();
    for (segment_bytes, segments) in [(exactly, 2), (exactly + 1, 1)] {
        let disk = SimDisk::default();
        let log = ManualLog::open(disk.clone(), segment_bytes).unwrap();
        fill(&log, 0, 1..=4);
        assert_eq!(disk.list().unwrap().len(), segments);
    }
}

#[test]
fn after_a_restart_what_the_tables_have_is_trimmed() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 100).unwrap();
    fill(&log, 0, 1..=20);
    fill(&log, 1, 1..=5);
    drop(log);
    let log = ManualLog::open(disk.clone(), 100).unwrap();
    assert!(segments(&disk) > 20);
    // What a node reports when it starts, including for partitions that never append again.
    for (partition, applied) in [(0, 20), (1, 5), (2, 0)] {
        log.trim(PartitionId(partition), Lsn(applied));
    }
    assert_eq!(segments(&disk), 1);
    assert_eq!((log.last_lsn(PartitionId(0)), log.oldest(PartitionId(0))), (Lsn(20), Lsn(21)));
}

#[test]
fn removing_is_tried_again() {
    for operation in [Operation::Remove, Operation::SyncDir] {
        let disk = SimDisk::default();
        let log = ManualLog::open(disk.clone(), 100).unwrap();
        fill(&log, 0, 1..=9);
        let all = segments(&disk);
        disk.fail_next(operation);
        log.trim(PartitionId(0), Lsn(8));
        assert!(log.owes() && segments(&disk) > all - 2, "{operation:?}");
        let oldest = log.oldest(PartitionId(0)).0;
        assert_eq!(read(&log, 0, oldest), expected(0, oldest, 9), "reading goes on meanwhile");
        log.retry();
        assert!(!log.owes());
        assert_eq!(segments(&disk), 1, "{operation:?}");
        fill(&log, 0, 10..=12);
        drop(log);
        let log = ManualLog::open(disk.crash(|_| 0), 100).unwrap();
        assert_eq!(log.last_lsn(PartitionId(0)), Lsn(12));
    }
}

/// Removals become durable in order, so that a crash leaves no gap.
#[test]
fn removals_are_durable_one_by_one() {
    for seed in 0..64 {
        let disk = SimDisk::new(seed);
        let log = ManualLog::open(disk.clone(), 100).unwrap();
        fill(&log, 0, 1..=9);
        disk.power_cut_at(disk.operations() + 1 + seed % 16);
        log.trim(PartitionId(0), Lsn(8));
        let log = ManualLog::open(disk.crash(chooser(seed)), 100)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(log.last_lsn(PartitionId(0)), Lsn(9));
    }
}

#[test]
fn an_idle_log_closes_what_nobody_needs() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 64 << 20).unwrap();
    let records = vec![Bytes::from(vec![1; 1 << 20])];
    log.append(
        Batch { partition: PartitionId(0), first_lsn: Lsn(1), records },
        Box::new(|outcome| outcome.unwrap()),
    );
    log.commit();
    log.trim(PartitionId(0), Lsn(1));
    assert_eq!(disk.list().unwrap(), [file_name(1)], "it is not idle yet");
    log.seal().unwrap();
    assert_eq!(disk.list().unwrap(), [file_name(2)]);
    // A small segment is not closed.
    fill(&log, 0, 2..=2);
    log.trim(PartitionId(0), Lsn(2));
    log.seal().unwrap();
    assert_eq!(disk.list().unwrap(), [file_name(2)]);
    drop(log);
    let log = ManualLog::open(disk, 64 << 20).unwrap();
    assert_eq!(log.last_lsn(PartitionId(0)), Lsn(2));
}
