//! A data directory of format 1 opens, and means what it meant to the software that wrote it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Buf;
use protocol::{
    ids::Derivation,
    journal::{Entry, EntryIndex},
};
use runtime_core::{
    Lsn, PartitionId,
    effect::StartAttempt,
    event::Record,
    invariants,
    model::{deployment::StoredDeployment, ids::AttemptRef, invocation::Pin},
    tables::{Row, Snapshot, Table},
};
use runtime_log::{Log, ManualLog, disk::RealDisk};
use runtime_partition::{
    Edges, Full, Node, NodeClock, Settings,
    checkpoint::{Checkpoints, OnDone},
    node::{Parts, store_file},
};
use runtime_store::{Checkpoint, Store, StoreName};

const PARTITIONS: u16 = 2;
/// All tables of format 1.
const TABLES: std::ops::RangeInclusive<u8> = 1..=18;
/// The tables of counts, which are made at the start if there are none.
const TALLIES: [u8; 2] = [Table::Tally as u8, Table::PinnedTally as u8];
/// All kinds of events in format 1.
const EVENTS: [&str; 16] = [
    "AttemptEnded",
    "AttemptFailed",
    "AttemptSuspended",
    "CancelRequested",
    "CommandProposed",
    "DeploymentPinned",
    "DeploymentRegistered",
    "DeploymentRemoved",
    "Invoked",
    "KillRequested",
    "MessageReceived",
    "MessagesAcknowledged",
    "RetentionDue",
    "RunProposed",
    "SignalReceived",
    "TimerFired",
];

/// An invoker that accepts everything and runs nothing.
struct Idle;

impl Edges for Idle {
    fn may_start(&self, _: &str, _: Option<Pin>, _: usize) -> Result<(), Full> {
        Ok(())
    }

    fn start_attempt(&self, _: PartitionId, _: Box<StartAttempt>) -> Result<(), Full> {
        Ok(())
    }

    fn attempt_refused(&self, _: Full) {}

    fn send_notification(&self, _: PartitionId, _: AttemptRef, _: EntryIndex, _: Entry) {}

    fn abort_attempt(&self, _: PartitionId, _: AttemptRef) {}

    fn suspend_attempt(&self, _: PartitionId, _: AttemptRef) {}

    fn publish_registry(&self, _: Vec<StoredDeployment>) {}
}

/// Checkpoints that are written when the test runs them.
#[derive(Default)]
struct Pending(Mutex<Vec<(Checkpoint, OnDone)>>);

impl Checkpoints for Pending {
    fn run(&self, job: Checkpoint, done: OnDone) {
        self.0.lock().unwrap().push((job, done));
    }
}

/// Format 1 has no secret.
fn name(partition: u16) -> StoreName {
    StoreName { partition, partitions: PARTITIONS, directory: None }
}

type Rows = Vec<(Vec<u8>, Row)>;

/// A copy of the fixture, because opening it changes it.
fn fixture() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1");
    copy_dir(&from, copy.path());
    copy
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn expected(dir: &Path) -> Vec<Rows> {
    let bytes = fs::read(dir.join("expected-rows")).unwrap();
    let mut bytes = &bytes[..];
    (0..PARTITIONS)
        .map(|_| {
            let count = bytes.get_u32();
            (0..count)
                .map(|_| (part(&mut bytes), Row::decode(&part(&mut bytes)).unwrap()))
                .collect()
        })
        .collect()
}

fn part(bytes: &mut &[u8]) -> Vec<u8> {
    let len = bytes.get_u32() as usize;
    let (part, rest) = bytes.split_at(len);
    *bytes = rest;
    part.to_vec()
}

fn all_rows(tables: &dyn Snapshot) -> Rows {
    let (mut rows, mut from) = (Rows::new(), Vec::new());
    while let Some((key, row)) = tables.seek(&[], &from) {
        from = [&key[..], &[0]].concat();
        rows.push((key.to_vec(), row));
    }
    rows
}

struct Opened {
    node: Node,
    log: Arc<ManualLog<RealDisk>>,
    checkpoints: Arc<Pending>,
}

fn open(dir: &Path) -> Opened {
    let disk = RealDisk::open(&dir.join("log")).unwrap();
    let log = Arc::new(ManualLog::open(disk, 8 * 1024).unwrap());
    let stores = (0..PARTITIONS)
        .map(|id| Store::open_file(&store_file(dir, id), name(id)).unwrap())
        .collect();
    let checkpoints = Arc::new(Pending::default());
    let parts = Parts {
        stores,
        log: Arc::clone(&log) as _,
        clock: Arc::new(NodeClock::start()),
        derivation: Derivation::Plain,
        checkpoints: Arc::clone(&checkpoints) as _,
        observer: None,
        settings: Settings { checkpoint_interval: Duration::ZERO, ..Settings::default() },
    };
    let node = Node::recover(parts, |_| Arc::new(Idle)).unwrap();
    Opened { node, log, checkpoints }
}

fn rows_of(opened: &mut Opened) -> Vec<Rows> {
    let drivers = opened.node.drivers_mut();
    drivers.iter_mut().map(|driver| driver.tables(|tables| all_rows(tables))).collect()
}

#[test]
fn the_fixture_has_every_kind_of_row_and_event() {
    let dir = fixture();
    let (mut tables, mut events) = (BTreeSet::new(), BTreeSet::new());
    let log = ManualLog::open(RealDisk::open(&dir.path().join("log")).unwrap(), 1 << 20).unwrap();
    for id in 0..PARTITIONS {
        let store = Store::open_file(&store_file(dir.path(), id), name(id)).unwrap();
        tables.extend(all_rows(store.base()).iter().map(|(key, _)| key[0]));
        let from = runtime_log::Lsn(store.applied().0 + 1);
        for stored in log.read(runtime_log::PartitionId(id), from) {
            let (lsn, payload) = stored.unwrap();
            let event = format!("{:?}", Record::decode(Lsn(lsn.0), &payload).unwrap().event);
            let name: String = event.chars().take_while(char::is_ascii_alphabetic).collect();
            events.insert(name);
        }
    }
    assert_eq!(tables, TABLES.collect());
    assert_eq!(events, EVENTS.map(str::to_owned).into());
}

#[test]
fn it_means_what_it_meant_and_goes_on_from_there() {
    let dir = fixture();
    let expected = expected(dir.path());
    let mut opened = open(dir.path());
    let (tallies, rows): (Vec<_>, Vec<_>) = rows_of(&mut opened)
        .into_iter()
        .map(|rows| rows.into_iter().partition(|(key, _)| TALLIES.contains(&key[0])))
        .unzip::<Rows, Rows, Vec<_>, Vec<_>>();
    assert!(rows == expected, "the fold of format 1 has changed");
    // They were counted at the start, and while the tail was folded.
    assert!(tallies.iter().any(|tallies| !tallies.is_empty()));
    for driver in opened.node.drivers_mut() {
        assert_eq!(driver.tables(invariants::check), Ok(()));
    }
    // Messages that were in flight arrive, time passes, and all of it is written anew.
    for _ in 0..4 {
        for driver in opened.node.drivers_mut() {
            driver.turn(Duration::ZERO);
            opened.log.commit();
        }
    }
    let jobs = std::mem::take(&mut *opened.checkpoints.0.lock().unwrap());
    assert_eq!(jobs.len(), usize::from(PARTITIONS), "a checkpoint of each partition");
    jobs.into_iter().for_each(|(job, done)| done(job.run()));
    for driver in opened.node.drivers_mut() {
        driver.turn(Duration::ZERO);
        opened.log.commit();
    }
    let left = rows_of(&mut opened);
    drop(opened);
    assert!(rows_of(&mut open(dir.path())) == left, "what was written anew is read back");
}
