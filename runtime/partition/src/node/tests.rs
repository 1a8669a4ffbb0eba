//! Tables and logs that do not belong together, and where the clock starts.

use bytes::Bytes;
use runtime_core::{
    Lsn,
    event::{Event, Record},
    model::ids::RequestId,
    tables::{Overlay, Tables},
    time::Stamp,
};
use runtime_log::{
    Batch, ManualLog,
    sim_disk::{Operation, SimDisk},
};
use runtime_store::sim_backend::SimBackend;

use super::*;
use crate::{
    checkpoint::{CheckpointThread, OnDone},
    driver::LAYERS_MAX,
    lanes::Read,
    test_support::{Nobody, Still},
};

/// Writes none.
struct Never;

impl Checkpoints for Never {
    fn run(&self, _: runtime_store::Checkpoint, _: OnDone) {}
}

/// Stamp of the record with this number.
fn stamp(lsn: u64) -> Stamp {
    Stamp(1_000_000 + lsn)
}

fn record(lsn: u64) -> Record {
    let target = protocol::InvocationId { partition_key: protocol::PartitionKey(0), uuid: 1 };
    let event = Event::CancelRequested { request: RequestId(lsn), target };
    Record::new(Lsn(lsn), stamp(lsn), event)
}

/// A log with this many records, one segment each, trimmed up to `trimmed`.
fn log(records: u64, trimmed: u64) -> Arc<ManualLog<SimDisk>> {
    let log = ManualLog::open(SimDisk::default(), 1).unwrap();
    for lsn in 1..=records {
        let (partition, first_lsn) = (runtime_log::PartitionId(0), runtime_log::Lsn(lsn));
        let records: Vec<Bytes> = vec![record(lsn).encode()];
        log.append(Batch { partition, first_lsn, records }, Box::new(|done| done.unwrap()));
        log.commit();
    }
    log.trim(runtime_log::PartitionId(0), runtime_log::Lsn(trimmed));
    Arc::new(log)
}

/// Tables that contain this many records.
fn tables(records: u64) -> Store {
    let mut store = Store::open_backend(SimBackend::default(), 0, 1).unwrap();
    let mut live = Overlay::default();
    let partition = Partition { id: PartitionId(0), count: 1, derivation: Derivation::Plain };
    let mut tables = Tables::new(&mut live, store.base());
    for lsn in 1..=records {
        partition.apply(&mut tables, &record(lsn), &mut Vec::new());
    }
    let checkpoint = store.freeze(&mut live, Lsn(records));
    store.install(checkpoint.run()).unwrap();
    store
}

/// Writes checkpoints immediately.
struct AtOnce;

impl Checkpoints for AtOnce {
    fn run(&self, job: runtime_store::Checkpoint, done: OnDone) {
        done(job.run());
    }
}

fn recover(tables: Store, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Result<Node, StartError> {
    let parts = Parts {
        stores: vec![tables],
        log,
        clock,
        derivation: Derivation::Plain,
        checkpoints: Arc::new(Never),
        observer: None,
        settings: Settings::default(),
    };
    Node::recover(parts, |_| Arc::new(Nobody))
}

/// The process then exits with the error and a code of its own.
#[test]
fn a_checkpoint_that_cannot_be_written_stops_the_partition() {
    let backend = SimBackend::default();
    let log = log(5, 0);
    let parts = Parts {
        stores: vec![Store::open_backend(backend.clone(), 0, 1).unwrap()],
        log: Arc::clone(&log) as _,
        clock: Arc::new(Still::default()),
        derivation: Derivation::Plain,
        checkpoints: Arc::new(AtOnce),
        observer: None,
        settings: Settings { checkpoint_interval: Duration::ZERO, ..Settings::default() },
    };
    let mut node = Node::recover(parts, |_| Arc::new(Nobody)).unwrap();
    backend.fail_once_at(backend.operations() + 1);
    let driver = &mut node.drivers_mut()[0];
    assert_ne!(driver.turn(Duration::ZERO), Turn::Failed);
    log.commit();
    assert_eq!(driver.turn(Duration::ZERO), Turn::Failed);
}

/// One thread writes the checkpoints of all partitions, so the others wait behind it.
#[test]
fn all_partitions_refuse_new_work_while_one_checkpoint_waits_for_room() {
    let backend = SimBackend::default();
    let log = log(5, 0);
    let parts = Parts {
        stores: vec![
            Store::open_backend(backend.clone(), 0, 2).unwrap(),
            Store::open_backend(SimBackend::default(), 1, 2).unwrap(),
        ],
        log: Arc::clone(&log) as _,
        clock: Arc::new(Still::default()),
        derivation: Derivation::Plain,
        checkpoints: Arc::new(CheckpointThread::spawn().unwrap()),
        observer: None,
        settings: Settings { checkpoint_interval: Duration::ZERO, ..Settings::default() },
    };
    let mut node = Node::recover(parts, |_| Arc::new(Nobody)).unwrap();
    backend.limit(Some(backend.room_taken()));
    let [waits, other] = node.drivers_mut() else { panic!("there are two partitions") };
    waits.turn(Duration::ZERO);
    log.commit();
    while !waits.store.is_waiting_for_room() {
        std::thread::yield_now();
    }
    other.turn(Duration::ZERO);
    assert!(other.inbox.is_disk_full(), "its next checkpoint cannot be written either");
    backend.limit(None);
    while waits.store.is_waiting_for_room() {
        std::thread::yield_now();
    }
    other.turn(Duration::ZERO);
    assert!(!other.inbox.is_disk_full());
}

/// A crash must not be able to take back what a read saw.
#[test]
fn a_read_is_answered_when_what_it_saw_is_durable_and_never_if_that_fails() {
    let disk = SimDisk::default();
    let log = Arc::new(ManualLog::open(disk.clone(), 1 << 20).unwrap());
    let mut node = recover(tables(0), Arc::clone(&log) as _, Arc::new(Still::default())).unwrap();
    let driver = &mut node.drivers_mut()[0];
    let (told, hears) = std::sync::mpsc::channel();
    let mut turn = || {
        let told = told.clone();
        driver.inbox.force_event(record(1).event);
        driver.inbox.put(|lanes| {
            let look =
                Box::new(move |_: &Tables<'_>| Box::new(move || told.send(()).unwrap()) as _);
            lanes.push_read(Read::Look(look));
        });
        driver.turn(Duration::ZERO)
    };
    assert!(matches!(turn(), Turn::Worked { .. }));
    assert!(hears.try_recv().is_err(), "what it saw is in memory alone");
    log.commit();
    assert!(hears.try_recv().is_ok());
    disk.fail_next(Operation::Sync);
    turn();
    log.commit();
    assert!(hears.try_recv().is_err());
    assert_eq!(turn(), Turn::Failed, "a log that has failed ends the partition");
}

/// An idle log still seals what it has, and no caller waits for that.
#[test]
fn a_log_that_fails_while_it_idles_is_noticed_by_a_look_at_the_health() {
    let disk = SimDisk::default();
    let log = Arc::new(ManualLog::open(disk.clone(), 1 << 20).unwrap());
    let mut node = recover(tables(0), Arc::clone(&log) as _, Arc::new(Still::default())).unwrap();
    let driver = &mut node.drivers_mut()[0];
    driver.inbox.force_event(record(1).event);
    driver.turn(Duration::ZERO);
    log.commit();
    disk.fail_next(Operation::Sync);
    log.seal().unwrap_err();
    assert!(matches!(driver.turn(Duration::ZERO), Turn::Idle { .. }));
    let _ping = crate::health::ping(&driver.inbox);
    driver.turn(Duration::ZERO);
    log.commit();
    assert_eq!(driver.turn(Duration::ZERO), Turn::Failed);
}

/// Runs a turn and returns the health it reports.
fn health(driver: &mut Driver) -> crate::PartitionHealth {
    let ping = crate::health::ping(&driver.inbox);
    driver.turn(Duration::ZERO);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(ping.answer()).unwrap()
}

#[test]
fn a_disk_that_hangs_is_seen_after_ten_seconds() {
    let backend = SimBackend::default();
    let (log, clock) = (log(0, 0), Arc::new(Still::default()));
    let parts = Parts {
        stores: vec![Store::open_backend(backend, 0, 1).unwrap()],
        log: Arc::clone(&log) as _,
        clock: Arc::clone(&clock) as _,
        derivation: Derivation::Plain,
        checkpoints: Arc::new(Never),
        observer: None,
        settings: Settings { overlay_bytes_max: 1, ..Settings::default() },
    };
    let mut node = Node::recover(parts, |_| Arc::new(Nobody)).unwrap();
    let driver = &mut node.drivers_mut()[0];
    let stuck = |health: &crate::PartitionHealth| (health.log_stuck_ms, health.checkpoint_stuck_ms);
    driver.inbox.force_event(record(1).event);
    driver.turn(Duration::ZERO);
    let begun_us = clock.now_us();
    clock.advance_past(Stamp(begun_us + 9_999_000));
    assert_eq!(stuck(&health(driver)), (None, None), "that is just slow");
    clock.advance_past(Stamp(begun_us + 10_500_000));
    assert!(matches!(stuck(&health(driver)), (Some(10_000..11_000), _)));
    // The log continues, but the checkpoint that is due then is never written.
    log.commit();
    driver.inbox.force_event(record(2).event);
    driver.turn(Duration::ZERO);
    log.commit();
    assert_eq!(health(driver).log_stuck_ms, None);
    clock.advance_past(Stamp(clock.now_us() + 12_000_000));
    assert!(matches!(stuck(&health(driver)), (None, Some(12_000..))));
}

#[test]
fn tables_and_log_meet_or_are_refused() {
    let outcome = |records, trimmed, applied| {
        let node = recover(tables(applied), log(records, trimmed), Arc::new(Still::default()));
        node.map(|mut node| node.drivers_mut()[0].applied())
    };
    assert_eq!(outcome(5, 0, 0).unwrap(), Lsn(5), "all of the log");
    assert_eq!(outcome(5, 3, 3).unwrap(), Lsn(5), "its tail");
    assert_eq!(outcome(5, 5, 5).unwrap(), Lsn(5), "nothing");
    // The last segment is kept, since it is being written.
    for (trimmed, applied, kept_from) in [(3, 0, 4), (3, 2, 4), (5, 0, 5), (5, 3, 5)] {
        let refused = outcome(5, trimmed, applied).unwrap_err();
        let StartError::TablesBehindLog { applied: at, oldest, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!((at, oldest), (applied, kept_from));
    }
    let refused = outcome(5, 5, 6).unwrap_err();
    assert!(matches!(refused, StartError::TablesAheadOfLog { applied: 6, last: 5, .. }));
}

/// Time continues after everything that is known, before the clock is first read.
#[test]
fn the_clock_starts_behind_the_last_stamp() {
    for applied in [0, 5] {
        let clock = Arc::new(Still::default());
        recover(tables(applied), log(5, applied), Arc::clone(&clock) as _).unwrap();
        assert_eq!(clock.now_us(), stamp(5).0);
    }
}

/// Otherwise queries would wait for the schedule, which may be seconds away.
#[test]
fn a_reader_that_finds_too_many_layers_has_them_written_at_once() {
    let log = log(5, 0);
    let parts = Parts {
        stores: vec![Store::open_backend(SimBackend::default(), 0, 1).unwrap()],
        log: Arc::clone(&log) as _,
        clock: Arc::new(Still::default()),
        derivation: Derivation::Plain,
        checkpoints: Arc::new(AtOnce),
        observer: None,
        settings: Settings {
            checkpoint_interval: Duration::from_secs(3600),
            ..Settings::default()
        },
    };
    let mut node = Node::recover(parts, |_| Arc::new(Nobody)).unwrap();
    let partitions = node.partitions().clone();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut held = Vec::new();
    for request in 0..4 * LAYERS_MAX as u64 {
        let proposed = partitions.propose(PartitionId(0), record(100 + request).event);
        assert!(Box::pin(proposed).as_mut().poll(&mut cx).is_ready());
        let mut reader = Box::pin(partitions.snapshot(PartitionId(0)));
        let mut turns = 0;
        let rows = loop {
            if let std::task::Poll::Ready(rows) = reader.as_mut().poll(&mut cx) {
                break rows.unwrap();
            }
            node.drivers_mut()[0].turn(Duration::ZERO);
            log.commit();
            turns += 1;
            assert!(turns < 10, "reader {request} still waits");
        };
        assert_eq!(rows.applied(), Lsn(6 + request), "it has what was proposed before");
        assert!(rows.layers().count() <= LAYERS_MAX);
        held.push(rows);
    }
}
