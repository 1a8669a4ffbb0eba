//! What all users of a log rely on, with intact disks and without crashes.

use std::sync::atomic::Ordering;

use super::*;

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
    let (told, hears) = mpsc::channel();
    log.append(barrier(), Box::new(move |outcome| told.send(outcome.is_ok()).unwrap()));
    log.commit();
    assert!(hears.recv().unwrap());
    assert_eq!(disk.syncs() - before, 1, "a barrier needs no sync of its own");
}

#[test]
fn a_commit_larger_than_what_is_put_together_is_one_sync() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 64 << 20).unwrap();
    let (syncs, operations) = (disk.syncs(), disk.operations());
    let large = Bytes::from(vec![7; 700 << 10]);
    for partition in 0..5 {
        let records = vec![large.clone(), large.clone()];
        let batch = Batch { partition: PartitionId(partition), first_lsn: Lsn(1), records };
        log.append(batch, Box::new(|outcome| outcome.unwrap()));
    }
    assert!(log.commit());
    assert_eq!(disk.syncs() - syncs, 1);
    assert!(disk.operations() - operations >= 6, "in pieces");
    drop(log);
    let log = ManualLog::open(disk, 64 << 20).unwrap();
    for partition in 0..5 {
        assert_eq!(read(&log, partition, 1), [(1, large.clone()), (2, large.clone())]);
    }
}

#[test]
fn a_batch_that_does_not_follow_is_not_taken() {
    for first in [1, 3] {
        let log = ManualLog::open(SimDisk::default(), 1 << 20).unwrap();
        log.append(batch(0, 1, 1), Box::new(|_| ()));
        let append = || log.append(batch(0, first, 1), Box::new(|_| ()));
        let taken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(append));
        assert!(taken.is_err(), "record {first} after record 1");
    }
}

#[test]
fn after_one_failure_nothing_is_acknowledged() {
    for operation in [Operation::Append, Operation::Sync] {
        let disk = SimDisk::default();
        let log = ManualLog::open(disk.clone(), 1 << 20).unwrap();
        disk.fail_next(operation);
        let (told, hears) = mpsc::channel();
        for first in 1..=2 {
            let told = told.clone();
            log.append(batch(0, first, 1), Box::new(move |outcome| told.send(outcome).unwrap()));
            log.commit();
            assert!(hears.recv().unwrap().unwrap_err().message.contains("injected fault"));
        }
        let after = disk.operations();
        log.seal().unwrap_err();
        log.trim(PartitionId(0), Lsn(2));
        log.retry();
        assert_eq!(disk.operations(), after, "nothing is written any more");
    }
}

#[test]
fn what_is_too_large_to_be_read_back_is_not_taken() {
    let log = ManualLog::open(SimDisk::default(), 1 << 20).unwrap();
    let panics = |records: Vec<Bytes>| {
        let batch = Batch { partition: PartitionId(3), first_lsn: Lsn(1), records };
        let appended = std::panic::AssertUnwindSafe(|| log.append(batch, Box::new(|_| ())));
        let panicked = std::panic::catch_unwind(appended).unwrap_err();
        panicked.downcast_ref::<String>().unwrap().clone()
    };
    let large = Bytes::from(vec![0; 32 << 20]);
    // Eight times the default limit of a request, plus the length fields.
    let message = panics(vec![large; 8]);
    assert!(message.contains("partition 3 has 268435488 bytes"), "{message}");
    let message = panics(vec![Bytes::from(vec![0; (128 << 20) + 1])]);
    assert!(message.contains("record 1 of partition 3 has 134217729 bytes"), "{message}");
    assert!(!log.has_pending());
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
    assert!(log.room_bytes() >= RESERVE_BYTES / 8 * 7 && !log.is_short());
    drop(log);
    let log = FileLog::open(dir.path(), 500).unwrap();
    assert_eq!(read(&log, 0, 1), expected(0, 1, 30));
    // The same log opens on a plain disk.
    drop(log);
    let log = ManualLog::open(RealDisk::open(dir.path()).unwrap(), 500).unwrap();
    assert_eq!(log.last_lsn(PartitionId(0)), Lsn(30));
}

#[test]
fn files_have_no_more_bytes_than_were_written() {
    let dir = tempfile::tempdir().unwrap();
    let log = ManualLog::open(RealDisk::open(dir.path()).unwrap(), 1 << 20).unwrap();
    log.append(batch(0, 1, 3), Box::new(|outcome| outcome.unwrap()));
    log.commit();
    let len = std::fs::metadata(dir.path().join(file_name(1))).unwrap().len();
    assert!(len < 400, "allocated room is not part of the file: {len}");
}
