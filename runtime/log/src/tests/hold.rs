//! A log that is held keeps its records, and catches up once it is let go.

use super::*;

/// Far longer than the log takes on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

fn append(log: &ManualLog<SimDisk>, partition: u16, first: u64, count: u64) {
    log.append(batch(partition, first, count), Box::new(|outcome| outcome.unwrap()));
    log.commit();
}

fn segments(disk: &SimDisk) -> usize {
    disk.list().unwrap().len()
}

#[test]
fn what_is_held_can_be_read_after_it_was_trimmed() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 100).unwrap();
    (1..=9).for_each(|lsn| append(&log, 0, lsn, 1));
    let (first, second) = (log.hold(), log.hold());
    log.trim(PartitionId(0), Lsn(9));
    (10..=20).for_each(|lsn| append(&log, 0, lsn, 1));
    log.trim(PartitionId(0), Lsn(20));
    log.seal().unwrap();
    log.retry();
    assert_eq!(read(&log, 0, 1), expected(0, 1, 20));
    assert_eq!(log.oldest(PartitionId(0)), Lsn(1));
    assert!(log.owes(), "somebody has to try again");
    drop(first);
    log.retry();
    assert_eq!(read(&log, 0, 1), expected(0, 1, 20), "the other one still holds it");
    drop(second);
    log.retry();
    assert!(!log.owes());
    assert_eq!((segments(&disk), log.oldest(PartitionId(0))), (1, Lsn(21)));
}

#[test]
fn an_idle_log_closes_its_segment_once_it_is_let_go() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), 64 << 20).unwrap();
    let records = vec![Bytes::from(vec![1; 1 << 20])];
    let large = Batch { partition: PartitionId(0), first_lsn: Lsn(1), records };
    log.append(large, Box::new(|outcome| outcome.unwrap()));
    log.commit();
    let hold = log.hold();
    log.trim(PartitionId(0), Lsn(1));
    log.seal().unwrap();
    assert_eq!(disk.list().unwrap(), [file_name(1)]);
    assert!(log.owes());
    drop(hold);
    log.retry();
    assert_eq!(disk.list().unwrap(), [file_name(2)]);
    assert!(!log.owes());
}

/// On a thread of its own, the log does it by itself.
#[test]
fn a_log_that_was_let_go_catches_up_without_being_asked() {
    let log = FileLog::open_on(SimDisk::default(), 100, &BTreeMap::new()).unwrap();
    let append = |first| {
        let (told, hears) = mpsc::channel();
        log.append(batch(0, first, 1), Box::new(move |outcome| told.send(outcome).unwrap()));
        hears.recv().unwrap().unwrap();
    };
    (1..=9).for_each(append);
    let hold = log.hold();
    log.trim(PartitionId(0), Lsn(9));
    append(10);
    assert_eq!(read(&log, 0, 1), expected(0, 1, 10));
    drop(hold);
    let begun = std::time::Instant::now();
    while log.oldest(PartitionId(0)) < Lsn(10) {
        assert!(begun.elapsed() < PATIENCE, "nobody has removed what was put off");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Every commit is a cut; what waits for the next one is in none.
#[test]
fn what_is_durable_is_known_for_all_partitions_at_once() {
    let disk = SimDisk::default();
    let log = ManualLog::open(disk.clone(), SEGMENT_BYTES).unwrap();
    assert_eq!(log.durable().unwrap(), BTreeMap::new());
    append(&log, 0, 1, 2);
    log.append(batch(0, 3, 1), Box::new(|_| ()));
    log.append(batch(1, 1, 4), Box::new(|_| ()));
    log.append(batch(0, 4, 1), Box::new(|_| ()));
    let durable = |pairs: [(u16, u64); 2]| {
        pairs.map(|(partition, lsn)| (PartitionId(partition), Lsn(lsn))).into()
    };
    assert_eq!(log.durable().unwrap(), durable([(0, 2), (1, 0)]));
    log.commit();
    assert_eq!(log.durable().unwrap(), durable([(0, 4), (1, 4)]));
    disk.fail_next(Operation::Sync);
    log.append(batch(0, 5, 1), Box::new(|outcome| assert!(outcome.is_err())));
    log.commit();
    log.durable().unwrap_err();
}

#[test]
fn a_log_can_begin_anywhere() {
    let disk = SimDisk::default();
    let before = BTreeMap::from([(PartitionId(0), Lsn(41)), (PartitionId(3), Lsn(7))]);
    let log = ManualLog::create(disk.clone(), SEGMENT_BYTES, before.clone()).unwrap();
    assert_eq!(log.oldest(PartitionId(0)), Lsn(42));
    append(&log, 0, 42, 30);
    append(&log, 1, 1, 2);
    drop(log);
    let log = ManualLog::open_for(disk.crash(|_| 0), SEGMENT_BYTES, &before).unwrap();
    assert_eq!(read(&log, 0, 1), expected(0, 42, 71));
    assert_eq!(read(&log, 1, 1), expected(1, 1, 2));
    assert_eq!((log.last_lsn(PartitionId(3)), log.oldest(PartitionId(3))), (Lsn(7), Lsn(8)));
    let older = BTreeMap::from([(PartitionId(0), Lsn(40))]);
    drop(log);
    let refused = ManualLog::open_for(disk.clone(), SEGMENT_BYTES, &older).err().unwrap();
    assert!(matches!(refused, OpenError::BeginningMissing { .. }), "{refused}");
    let refused = ManualLog::create(disk, SEGMENT_BYTES, before).err().unwrap().to_string();
    assert!(refused.contains("where there is 0000000000000001.seg"), "{refused}");
}
