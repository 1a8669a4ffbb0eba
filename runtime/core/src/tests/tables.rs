//! An overlay over a base behaves like one plain map.

use bytes::Bytes;
use proptest::prelude::*;

use super::support::Memory;
use crate::{
    model::ids::Lsn,
    tables::{Key, Overlay, Row, Snapshot, Tables},
};

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    Tracked(u8, u8),
    Delete(u8),
    Checkpoint,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..12u8, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        3 => (0..12u8, any::<u8>()).prop_map(|(key, value)| Step::Tracked(key, value)),
        4 => (0..12u8).prop_map(Step::Delete),
        1 => Just(Step::Checkpoint),
    ]
}

proptest! {
    #[test]
    fn layers_are_invisible(steps in proptest::collection::vec(step(), 0..80)) {
        let (mut live, mut base, mut model) = (Overlay::default(), Memory::default(), Memory::default());
        for step in steps {
            let key = |key: u8| Key::from_slice(&[key / 4, key]);
            let row = |value: u8| Row::Bytes(Bytes::from(vec![value]));
            match step {
                Step::Put(at, value) => {
                    Tables::new(&mut live, &base).put(key(at), row(value));
                    model.0.insert(key(at), row(value));
                }
                Step::Tracked(at, value) => {
                    Tables::new(&mut live, &base).put_of(Lsn(0), key(at), row(value));
                    model.0.insert(key(at), row(value));
                }
                Step::Delete(at) => {
                    Tables::new(&mut live, &base).delete(key(at));
                    model.0.remove(&key(at));
                }
                Step::Checkpoint => {
                    for (key, row) in std::mem::take(&mut live).iter() {
                        match row {
                            Some(row) => base.0.insert(key.clone(), row.clone()),
                            None => base.0.remove(key),
                        };
                    }
                }
            }
            let tables = Tables::new(&mut live, &base);
            for prefix in 0..3u8 {
                for from in 0..12u8 {
                    let from = [prefix, from];
                    prop_assert_eq!(tables.seek(&[prefix], &from), model.seek(&[prefix], &from));
                }
                let all = tables.scan(&[prefix], &[prefix], usize::MAX);
                let expected: Vec<_> = model.0.iter().filter(|(key, _)| key[0] == prefix)
                    .map(|(key, row)| (key.clone(), row.clone())).collect();
                prop_assert_eq!(all, expected);
            }
            for at in 0..12u8 {
                prop_assert_eq!(tables.get(&key(at)), model.get(&key(at)));
            }
        }
    }
}
