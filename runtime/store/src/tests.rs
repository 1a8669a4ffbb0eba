//! Layers, checkpoints and crashes against one plain map.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use runtime_core::{
    Lsn,
    tables::{Key, Overlay, Row, Snapshot, Table, Tables},
};

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
    rows
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    Delete(u8),
    Freeze,
    Install,
    Crash(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..16u8, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        4 => (0..16u8).prop_map(Step::Delete),
        2 => Just(Step::Freeze),
        2 => Just(Step::Install),
        1 => any::<u64>().prop_map(Step::Crash),
    ]
}

/// Numbers below `n`, from a seed: splitmix64.
fn chooser(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |n| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
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
        let mut job = None;
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
                Step::Install => {
                    if let Some((checkpoint, rows, at)) = job.take() {
                        prop_assert_eq!(store.install(checkpoint.run()), Lsn(at));
                        (saved, saved_lsn) = (rows, at);
                    }
                }
                Step::Crash(seed) => {
                    job = None;
                    backend = backend.crash(chooser(seed));
                    store = open(&backend).unwrap();
                    live = Overlay::default();
                    prop_assert_eq!(store.applied(), Lsn(saved_lsn));
                    (model, lsn) = (saved.clone(), saved_lsn);
                }
                Step::Freeze => (),
            }
            prop_assert_eq!(&all(&mut live, store.base()), &model);
        }
    }
}

/// At every write and sync of a checkpoint, a crash leaves the old rows or the new ones, whole.
#[test]
fn a_checkpoint_is_all_or_nothing() {
    let prepare = || {
        let backend = SimBackend::default();
        let mut store = open(&backend).unwrap();
        let mut live = Overlay::default();
        (0..16).for_each(|n| live.put(key(n), row(n)));
        let job = store.freeze(&mut live, Lsn(16));
        store.install(job.run());
        (0..8).for_each(|n| live.put(key(n), row(100 + n)));
        (8..12).for_each(|n| live.delete(key(n)));
        (backend, store, live)
    };
    let (backend, mut store, mut live) = prepare();
    let old = all(&mut Overlay::default(), store.base());
    let start = backend.operations();
    let job = store.freeze(&mut live, Lsn(28));
    store.install(job.run());
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
        assert!(refusal.contains("another data directory's"), "{refusal}");
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
