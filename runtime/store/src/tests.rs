//! Compares layers, checkpoints and crashes against one plain map.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use runtime_core::{
    Lsn,
    tables::{Key, KeyRange, Order, Overlay, Row, Snapshot, Table, Tables, slots::Merged},
};
use runtime_seeded::chooser;

use super::*;
use crate::sim_backend::SimBackend;

type Model = BTreeMap<Key, Row>;

fn key(n: u8) -> Key {
    Table::State.key().u8(n / 4).u8(n).done()
}

fn row(n: u8) -> Row {
    Row::Bytes(Bytes::from(vec![n]))
}

fn open(backend: &SimBackend) -> Result<Store, OpenError> {
    Store::open_backend(backend.clone(), 0, 1)
}

fn all(live: &mut Overlay, base: &dyn Snapshot) -> Model {
    let tables = Tables::new(live, base);
    let mut rows = Model::new();
    let prefix = [Table::State as u8];
    let mut from = Key::from_slice(&prefix);
    while let Some((key, row)) = Snapshot::seek(&tables, &prefix, &from) {
        from = key.clone();
        from.push(0);
        rows.insert(key, row);
    }
    for order in [Order::Ascending, Order::Descending] {
        assert_eq!(stepped(&tables, order), rows, "slot by slot");
    }
    rows
}

/// Reads the same rows slot by slot, which also visits removed rows.
fn stepped(tables: &dyn Snapshot, order: Order) -> Model {
    let (from, before) = (&[Table::State as u8], &[Table::State as u8 + 1]);
    let mut layers = Vec::new();
    tables.add_slots(KeyRange { from, before, order }, &mut layers);
    let mut slots = Merged::new(layers, order);
    let (mut rows, mut last) = (Model::new(), None::<Key>);
    while let Some((key, row)) = slots.take() {
        assert!(from[..] <= key[..] && key[..] < before[..], "{key:?}");
        let is_further = last.is_none_or(|last| match order {
            Order::Ascending => last < key,
            Order::Descending => last > key,
        });
        assert!(is_further, "{key:?} is no further");
        last = Some(key.clone());
        rows.extend(row.map(|row| (key, row)));
    }
    rows
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    Delete(u8),
    Freeze,
    Hold,
    Install,
    Crash(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..16u8, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        4 => (0..16u8).prop_map(Step::Delete),
        2 => Just(Step::Freeze),
        2 => Just(Step::Hold),
        2 => Just(Step::Install),
        1 => any::<u64>().prop_map(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn layers_are_invisible_and_a_crash_keeps_the_last_checkpoint(
        steps in proptest::collection::vec(step(), 0..60)
    ) {
        let mut backend = SimBackend::default();
        let mut store = open(&backend).unwrap();
        let (mut live, mut model, mut saved) = (Overlay::default(), Model::new(), Model::new());
        let (mut lsn, mut saved_lsn) = (0, 0);
        let (mut job, mut held) = (None, Vec::new());
        for step in steps {
            match step {
                Step::Put(at, value) => {
                    lsn += 1;
                    live.put(key(at), row(value));
                    model.insert(key(at), row(value));
                }
                Step::Delete(at) => {
                    lsn += 1;
                    live.delete(key(at));
                    model.remove(&key(at));
                }
                Step::Freeze if job.is_none() => {
                    job = Some((store.freeze(&mut live, Lsn(lsn)), model.clone(), lsn));
                }
                Step::Hold => held.push((store.snapshot(&mut live, Lsn(lsn)), model.clone())),
                Step::Install => {
                    if let Some((checkpoint, rows, at)) = job.take() {
                        prop_assert_eq!(store.install(checkpoint.run()), Ok(Lsn(at)));
                        (saved, saved_lsn) = (rows, at);
                    }
                }
                Step::Crash(seed) => {
                    job = None;
                    held.clear();
                    backend = backend.crash(chooser(seed));
                    store = open(&backend).unwrap();
                    live = Overlay::default();
                    prop_assert_eq!(store.applied(), Lsn(saved_lsn));
                    (model, lsn) = (saved.clone(), saved_lsn);
                }
                Step::Freeze => (),
            }
            prop_assert_eq!(&all(&mut live, store.base()), &model);
            for (base, model) in &held {
                prop_assert_eq!(&all(&mut Overlay::default(), base), model);
            }
        }
    }
}

/// A crash at any write or sync of a checkpoint leaves either all old rows or all new ones.
#[test]
fn a_checkpoint_is_all_or_nothing() {
    let prepare = || {
        let backend = SimBackend::default();
        let mut store = open(&backend).unwrap();
        let mut live = Overlay::default();
        (0..16).for_each(|n| live.put(key(n), row(n)));
        let job = store.freeze(&mut live, Lsn(16));
        store.install(job.run()).unwrap();
        (0..8).for_each(|n| live.put(key(n), row(100 + n)));
        (8..12).for_each(|n| live.delete(key(n)));
        (backend, store, live)
    };
    let (backend, mut store, mut live) = prepare();
    let old = all(&mut Overlay::default(), store.base());
    let start = backend.operations();
    let job = store.freeze(&mut live, Lsn(28));
    store.install(job.run()).unwrap();
    let new = all(&mut Overlay::default(), store.base());
    let end = backend.operations();
    assert!(end > start + 2, "a checkpoint writes and syncs");
    for fail_at in start + 1..=end + 1 {
        for seed in 0..8 {
            let (backend, mut store, mut live) = prepare();
            backend.fail_at(fail_at);
            let job = store.freeze(&mut live, Lsn(28));
            let is_written = job.run().written.is_ok();
            let after = open(&backend.crash(chooser(seed))).unwrap();
            let rows = all(&mut Overlay::default(), after.base());
            match after.applied() {
                Lsn(16) => assert!(rows == old && !is_written, "operation {fail_at}"),
                Lsn(28) => assert!(rows == new, "operation {fail_at}"),
                other => panic!("operation {fail_at}: {other:?}"),
            }
        }
    }
}

#[test]
fn rows_born_and_gone_never_touch_the_file() {
    let backend = SimBackend::default();
    let mut store = open(&backend).unwrap();
    let mut live = Overlay::default();
    live.create(key(1), row(1));
    live.delete(key(1));
    assert_eq!(store.freeze(&mut live, Lsn(2)).rows(), 0);
}

/// Held rows that are not written yet are counted, and the next checkpoint writes all of them.
#[test]
fn a_checkpoint_takes_what_was_frozen_for_readers() {
    let mut store = open(&SimBackend::default()).unwrap();
    let mut live = Overlay::default();
    live.put(key(1), row(1));
    let first = store.snapshot(&mut live, Lsn(1));
    let unwritten_bytes = store.unwritten_bytes();
    assert!(unwritten_bytes > 0);
    // Nothing has changed, so nothing more is frozen.
    drop(store.snapshot(&mut live, Lsn(1)));
    assert_eq!(store.layers(), 1);
    live.put(key(1), row(2));
    let checkpoint = store.freeze(&mut live, Lsn(2));
    assert_eq!((checkpoint.rows(), store.unwritten_bytes()), (2, 0));
    live.put(key(2), row(3));
    let second = store.snapshot(&mut live, Lsn(3));
    assert_eq!(store.unwritten_bytes(), unwritten_bytes);
    store.install(checkpoint.run()).unwrap();
    assert_eq!((store.layers(), store.applied()), (1, Lsn(2)));
    let rows = |base: &Base| all(&mut Overlay::default(), base).into_values().collect::<Vec<_>>();
    assert_eq!(rows(&first), [row(1)]);
    assert_eq!(rows(&second), [row(2), row(3)]);
}

#[test]
fn a_store_of_another_partition_directory_or_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("partition-0.redb");
    let own = StoreName { partition: 0, partitions: 2, directory: Some(7 << 64 | 9) };
    drop(Store::create_file(&path, own).unwrap());
    let refused = |name| Store::open_file(&path, name).err().unwrap().to_string();
    assert_eq!(
        refused(StoreName { partition: 1, ..own }),
        "it is partition 0 of 2, expected 1 of 2"
    );
    assert_eq!(
        refused(StoreName { partitions: 4, ..own }),
        "it is partition 0 of 2, expected 0 of 4"
    );
    for directory in [None, Some(9 << 64 | 7)] {
        let refusal = refused(StoreName { directory, ..own });
        assert!(refusal.contains("another data directory"), "{refusal}");
    }
    drop(Store::open_file(&path, own).unwrap());
    {
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(format::META).unwrap().insert(format::FORMAT, 9).unwrap();
        transaction.commit().unwrap();
    }
    assert_eq!(refused(own), "its format is 9, this version can only read 1");
    let other = dir.path().join("other");
    std::fs::write(&other, "not a store").unwrap();
    assert!(matches!(Store::open_file(&other, own), Err(OpenError::Database(_))));
    std::fs::write(&other, "").unwrap();
    assert!(Store::open_file(&other, own).err().unwrap().to_string().contains("it is empty"));
}

#[test]
fn a_file_is_made_whole_and_never_by_opening_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("partition-0.redb");
    let name = StoreName { partition: 0, partitions: 1, directory: None };
    assert!(Store::open_file(&path, name).is_err());
    assert!(!path.exists());
    std::fs::write(dir.path().join("partition-0.redb.new"), "what a crash left").unwrap();
    drop(Store::create_file(&path, name).unwrap());
    assert_eq!(Store::open_file(&path, name).unwrap().applied(), Lsn(0));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// A row large enough to fill pages.
fn large(n: u8) -> Row {
    Row::Bytes(Bytes::from(vec![n; 3000]))
}

/// A medium with 16 rows, reopened so that nothing is cached, and an overlay that replaces these
/// and adds many more.
fn grown() -> (SimBackend, Store, Overlay) {
    let backend = SimBackend::default();
    let mut store = open(&backend).unwrap();
    let mut live = Overlay::default();
    (0..16).for_each(|n| live.put(key(n), large(n)));
    let job = store.freeze(&mut live, Lsn(16));
    store.install(job.run()).unwrap();
    drop(store);
    (0..16).for_each(|n| live.put(key(n), large(100 + n)));
    (16..200).for_each(|n| live.put(key(n), large(n)));
    let store = open(&backend).unwrap();
    (backend, store, live)
}

/// Returns once a checkpoint waits for disk space.
fn await_full(store: &Store) {
    while !store.is_waiting_for_room() {
        std::thread::yield_now();
    }
}

#[test]
fn a_full_disk_makes_a_checkpoint_wait_while_readers_go_on() {
    for room in [0, 1, 5, 20] {
        let (backend, mut store, mut live) = grown();
        backend.limit(Some(backend.room_taken() + room * 4096));
        let job = store.freeze(&mut live, Lsn(32));
        std::thread::scope(|scope| {
            let checkpoint = scope.spawn(|| job.run());
            await_full(&store);
            // This reads the file's rows, below the frozen ones.
            let file = &store.base().file;
            (0..16).for_each(|n| assert_eq!(file.get(&key(n)), Some(large(n))));
            let after = open(&backend.crash(chooser(room))).unwrap();
            assert_eq!(after.applied(), Lsn(16), "a crash meanwhile leaves the last checkpoint");
            assert_eq!(after.base().get(&key(3)), Some(large(3)));
            backend.limit(None);
            assert_eq!(store.install(checkpoint.join().unwrap()), Ok(Lsn(32)));
        });
        assert!(!store.is_waiting_for_room());
        drop(store);
        let store = open(&backend.crash(|_| 0)).unwrap();
        assert_eq!(store.applied(), Lsn(32));
        (0..16).for_each(|n| assert_eq!(store.base().get(&key(n)), Some(large(100 + n))));
        (16..200).for_each(|n| assert_eq!(store.base().get(&key(n)), Some(large(n))));
    }
}

#[test]
fn a_node_that_stops_does_not_wait_for_room() {
    let (backend, mut store, mut live) = grown();
    backend.limit(Some(backend.room_taken()));
    let job = store.freeze(&mut live, Lsn(32));
    let done = std::thread::scope(|scope| {
        let checkpoint = scope.spawn(|| job.run());
        await_full(&store);
        drop(store);
        checkpoint.join().unwrap()
    });
    assert!(done.written.is_err());
    assert_eq!(open(&backend.crash(|_| 0)).unwrap().applied(), Lsn(16));
}

/// A refusal at any point is waited out, and writes between it and the sync stay in order.
#[test]
fn a_checkpoint_survives_any_number_of_refusals() {
    for refusals in (1..60).step_by(7) {
        let (backend, mut store, mut live) = grown();
        backend.refuse_room(refusals);
        let job = store.freeze(&mut live, Lsn(32));
        assert_eq!(store.install(job.run()), Ok(Lsn(32)));
        drop(store);
        let store = open(&backend.crash(|_| 0)).unwrap();
        assert_eq!(store.applied(), Lsn(32));
        (0..16).for_each(|n| assert_eq!(store.base().get(&key(n)), Some(large(100 + n))));
        (16..200).for_each(|n| assert_eq!(store.base().get(&key(n)), Some(large(n))));
    }
}

/// A disk error is reported with its cause and does not panic; afterwards either the last
/// checkpoint or the new one is there.
#[test]
fn trouble_at_any_write_of_a_checkpoint_is_told() {
    let (backend, mut store, mut live) = grown();
    let start = backend.operations();
    let job = store.freeze(&mut live, Lsn(32));
    store.install(job.run()).unwrap();
    let end = backend.operations();
    for fail_at in start + 1..=end {
        let (backend, mut store, mut live) = grown();
        backend.fail_once_at(fail_at);
        let job = store.freeze(&mut live, Lsn(32));
        let error = store.install(job.run()).unwrap_err().to_string();
        assert!(error.contains("injected fault, once"), "{error}");
        assert!(error.contains("the log has everything"), "{error}");
        drop(store);
        let after = open(&backend.crash(chooser(fail_at))).unwrap();
        assert!([16, 32].contains(&after.applied().0));
    }
}

#[test]
fn a_store_that_has_no_room_to_be_opened_says_so() {
    let whole = SimBackend::default();
    drop(open(&whole).unwrap());
    let mut refusals = 0;
    for bytes in (0..whole.room_taken()).step_by(4096) {
        let backend = SimBackend::default();
        backend.limit(Some(bytes));
        // Closing needs space too, but can do without.
        if let Err(refusal) = open(&backend) {
            assert!(matches!(refusal, OpenError::Full(_)), "{bytes}: {refusal}");
            refusals += 1;
        }
    }
    assert!(refusals > 0);
    let (backend, store, _) = grown();
    drop(store);
    backend.limit(Some(0));
    assert!(matches!(open(&backend), Ok(_) | Err(OpenError::Full(_))));
}

/// Puts or deletes rows of 300 KB in one checkpoint.
fn bulk(store: &mut Store, lsn: u64, rows: std::ops::Range<u8>, is_put: bool) {
    let mut live = Overlay::default();
    for n in rows {
        match is_put {
            true => live.put(key(n), Row::Bytes(Bytes::from(vec![n; 300_000]))),
            false => live.delete(key(n)),
        }
    }
    let job = store.freeze(&mut live, Lsn(lsn));
    store.install(job.run()).unwrap();
}

#[test]
fn a_file_that_is_mostly_free_is_given_back_at_a_start() {
    for counts in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("partition-0.redb");
        let name = StoreName { partition: 0, partitions: 1, directory: None };
        let mut store = Store::create_file(&path, name).unwrap();
        bulk(&mut store, 1, 0..100, true);
        bulk(&mut store, 2, 100..200, true);
        assert!(store.free_share().unwrap() < 0.5);
        drop(store);
        let full_bytes = std::fs::metadata(&path).unwrap().len();
        let mut store = Store::open_file(&path, name).unwrap();
        assert_eq!(store.file_bytes(), full_bytes, "it is needed");
        bulk(&mut store, 3, 0..180, false);
        assert!(store.free_share().unwrap() > 0.5);
        drop(store);
        if !counts {
            // As an older version leaves it.
            let database = redb::Database::open(&path).unwrap();
            let transaction = database.begin_write().unwrap();
            transaction.open_table(format::META).unwrap().remove(format::ROW_BYTES).unwrap();
            transaction.commit().unwrap();
        }
        let mut store = Store::open_file(&path, name).unwrap();
        assert!(store.file_bytes() < full_bytes / 2, "{}", store.file_bytes());
        assert!(store.free_share().unwrap() < 0.5);
        assert_eq!(store.applied(), Lsn(3));
        assert_eq!(store.base().get(&key(179)), None);
        let kept = |n| Some(Row::Bytes(Bytes::from(vec![n; 300_000])));
        (180..200).for_each(|n| assert_eq!(store.base().get(&key(n)), kept(n)));
        bulk(&mut store, 4, 0..10, true);
        assert_eq!(store.base().get(&key(5)), kept(5));
    }
}

/// Puts rows and writes a checkpoint of them.
fn checkpoint(store: &mut Store, keys: std::ops::Range<u8>, value: u8, applied: u64) {
    let mut live = Overlay::default();
    keys.for_each(|n| live.put(key(n), row(value)));
    let checkpoint = store.freeze(&mut live, Lsn(applied));
    store.install(checkpoint.run()).unwrap();
}

fn copied(snapshot: &StoreSnapshot, into: &SimBackend) {
    let name = StoreName { partition: 0, partitions: 1, directory: None };
    let mut fill = StoreFill::create(into.clone(), name).unwrap();
    for row in snapshot.rows().unwrap() {
        let (key, value) = row.unwrap();
        fill.add(&key, &value).unwrap();
    }
    fill.finish(snapshot.applied()).unwrap();
}

#[test]
fn a_copy_is_that_of_its_moment_while_checkpoints_are_written() {
    let mut store = open(&SimBackend::default()).unwrap();
    checkpoint(&mut store, 0..40, 1, 7);
    let source = store.source();
    let snapshot = source.snapshot().unwrap();
    let before = all(&mut Overlay::default(), store.base());
    checkpoint(&mut store, 20..60, 2, 9);
    let medium = SimBackend::default();
    copied(&snapshot, &medium);
    // Everything is durable when it is complete.
    let copy = open(&medium.crash(|_| 0)).unwrap();
    assert_eq!(copy.applied(), Lsn(7));
    assert_eq!(all(&mut Overlay::default(), copy.base()), before);
    let (tracked, original) = (copy.free_share().unwrap(), snapshot.bytes());
    assert!(tracked < 1.0 && original > 0, "{tracked} {original}");
    assert_eq!(source.snapshot().unwrap().applied(), Lsn(9));
    drop(snapshot);
    drop(store);
    assert!(matches!(source.snapshot(), Err(CopyError::Closed)));
}

#[test]
fn rows_that_no_store_has_written_are_not_taken_into_one() {
    let mut store = open(&SimBackend::default()).unwrap();
    checkpoint(&mut store, 0..4, 1, 7);
    let snapshot = store.source().snapshot().unwrap();
    let rows: Vec<_> = snapshot.rows().unwrap().map(Result::unwrap).collect();
    let name = StoreName { partition: 0, partitions: 1, directory: None };
    let mut fill = StoreFill::create(SimBackend::default(), name).unwrap();
    fill.add(&rows[1].0, &rows[1].1).unwrap();
    for (key, value) in &rows[..2] {
        assert!(matches!(fill.add(key, value), Err(FillError::Order(_))));
    }
    let mut changed = rows[2].1.clone();
    changed[1] ^= 1;
    assert!(matches!(fill.add(&rows[2].0, &changed), Err(FillError::Damaged(_))));
    fill.add(&rows[2].0, &rows[2].1).unwrap();
}

#[test]
fn an_incomplete_fill_is_not_a_store_of_its_lsn() {
    let medium = SimBackend::default();
    let name = StoreName { partition: 0, partitions: 1, directory: None };
    let mut fill = StoreFill::create(medium.clone(), name).unwrap();
    let mut encoder = checked::Encoder::default();
    fill.add(&key(1), encoder.encode(&key(1), &row(1))).unwrap();
    drop(fill);
    assert_eq!(open(&medium).unwrap().applied(), Lsn(0));
}
