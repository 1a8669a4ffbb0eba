//! Iterates over rows in key order, for listings: each turn is bounded in rows and bytes, no matter
//! how many deleted rows lie in between, and a later turn continues where the last one stopped.
//!
//! Tombstones stay in the overlays until the next checkpoints, possibly by the hundred thousand, so
//! each one that is skipped counts as a row that was read.

use super::{
    Key, Row, Snapshot,
    key::KeyBuilder,
    slots::{KeyRange, Merged, Order},
};

/// How much of a partition's turn a reader may use. A row's size is known only once it has been
/// read, and every row that was read is returned: the last one, with whatever was read to display
/// it, may exceed the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Number of rows, including tombstones. At least one.
    pub rows_max: usize,
    /// Estimated size of their keys and values in bytes. At least one.
    pub bytes_max: usize,
}

/// Which virtual objects or workflows to read from a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    /// All of them.
    All,
    /// All of one service.
    Service(String),
    /// A single one.
    Key {
        /// Name of the service.
        service: String,
        /// Key of the virtual object or workflow.
        key: String,
    },
}

impl KeyBuilder {
    /// Appends the parts that all keys within the given scope share.
    pub(super) fn within(self, within: &Within) -> Self {
        match within {
            Within::All => self,
            Within::Service(service) => self.bytes(service.as_bytes()),
            Within::Key { service, key } => self.bytes(service.as_bytes()).bytes(key.as_bytes()),
        }
    }
}

/// Decodes a row of a table; `None` if the key does not belong to the table.
type Read<R> = fn(&[u8], Row) -> Option<R>;

/// A walk over the rows whose keys share a prefix. It ends when there are no more rows or the
/// budget is spent; [`Self::rest_after`] says which.
pub struct Walk<'t, R> {
    slots: Merged<'t>,
    read: Read<R>,
    /// The last key read.
    last: Option<Key>,
    is_over: bool,
    budget: Budget,
    rows_read: usize,
    bytes_read: usize,
}

/// The part of a table to walk: its keys, in which order, and after which one to continue.
#[derive(Debug, Clone)]
pub(super) struct Range<'a> {
    /// What all keys begin with.
    pub(super) prefix: Key,
    /// The smallest key to read, which begins with `prefix`.
    pub(super) from: Key,
    /// The direction.
    pub(super) order: Order,
    /// Continue after this key, in the direction of `order`. If it does not begin with `prefix`,
    /// the walk is empty: the cursor belongs to another listing.
    pub(super) after: Option<&'a [u8]>,
}

impl<'a> Range<'a> {
    /// All keys that begin with `prefix`, in ascending order.
    pub(super) fn of(prefix: Key, after: Option<&'a [u8]>) -> Self {
        Self { from: prefix.clone(), prefix, order: Order::Ascending, after }
    }
}

impl<'t, R> Walk<'t, R> {
    /// Walks the rows of a range.
    ///
    /// # Panics
    /// Panics if the budget allows nothing, since the walk would then never advance.
    pub(super) fn new(
        rows: &'t (dyn Snapshot + 't),
        range: Range<'_>,
        budget: Budget,
        read: Read<R>,
    ) -> Self {
        assert!(budget.rows_max > 0 && budget.bytes_max > 0, "nothing can be read with {budget:?}");
        let Range { prefix, mut from, order, after } = range;
        let is_over = after.is_some_and(|after| !after.starts_with(&prefix));
        let mut before = behind(&prefix);
        match (order, after) {
            (Order::Ascending, Some(after)) => from = next(after),
            (Order::Descending, Some(after)) => before = Key::from_slice(after),
            (Order::Ascending | Order::Descending, None) => (),
        }
        let mut layers = Vec::new();
        if !is_over {
            rows.add_slots(KeyRange { from: &from, before: &before, order }, &mut layers);
        }
        let slots = Merged::new(layers, order);
        Self { slots, read, last: None, is_over, budget, rows_read: 0, bytes_read: 0 }
    }

    /// Counts another row that was read to display one of the walk's rows.
    pub fn count(&mut self, bytes: usize) {
        self.rows_read += 1;
        self.bytes_read += bytes;
    }

    /// The key after which there may be more rows; `None` if the walk has reached the end.
    ///
    /// # Panics
    /// Panics if no row has been read yet and the walk is not at its end.
    pub fn rest_after(self) -> Option<Key> {
        if self.is_over {
            return None;
        }
        assert!(self.last.is_some(), "a walk has ended without reading anything");
        self.last
    }

    fn is_spent(&self) -> bool {
        self.rows_read >= self.budget.rows_max || self.bytes_read >= self.budget.bytes_max
    }
}

impl<R> Iterator for Walk<'_, R> {
    type Item = R;

    fn next(&mut self) -> Option<R> {
        while !self.is_over && !self.is_spent() {
            let Some((key, row)) = self.slots.take() else {
                self.is_over = true;
                break;
            };
            self.count(key.len() + row.as_ref().map_or(0, Row::payload_bytes));
            let read = row.map(|row| {
                (self.read)(&key, row)
                    .unwrap_or_else(|| panic!("{key:?} is not a key of its table"))
            });
            self.last = Some(key);
            if read.is_some() {
                return read;
            }
        }
        None
    }
}

/// The immediate successor of a key.
fn next(key: impl AsRef<[u8]>) -> Key {
    let mut next = Key::from_slice(key.as_ref());
    next.push(0);
    next
}

/// The first key after all keys that start with `prefix`.
fn behind(prefix: &Key) -> Key {
    let mut behind = prefix.clone();
    while let Some(last) = behind.pop() {
        if let Some(larger) = last.checked_add(1) {
            behind.push(larger);
            return behind;
        }
    }
    // INVARIANT: a key starts with its table's number, and no table has the number 255.
    panic!("no table's keys start with {prefix:?}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::{Empty, Overlay, Table, Tables, meter};
    use super::*;

    /// Three stacked overlays: live, frozen, and the file.
    #[derive(Debug, Default)]
    struct Layers {
        live: Overlay,
        frozen: Overlay,
        file: Overlay,
    }

    type Found = (Vec<u8>, Bytes);

    impl Layers {
        /// Writes the frozen rows to the file and freezes the live ones.
        fn freeze(&mut self) {
            for (key, row) in self.frozen.iter() {
                match row {
                    Some(row) => self.file.put(key.clone(), row.clone()),
                    None => self.file.delete(key.clone()),
                }
            }
            self.frozen = self.live.take();
        }

        /// What one turn finds among the rows that start with `prefix`, and the key to continue
        /// after.
        fn turn(
            &mut self,
            prefix: &[u8],
            after: Option<&[u8]>,
            budget: Budget,
            order: Order,
        ) -> (Vec<Found>, Option<Key>) {
            let file = Tables::new(&mut self.file, &Empty);
            let frozen = Tables::new(&mut self.frozen, &file);
            let tables = Tables::new(&mut self.live, &frozen);
            let range = Range { order, ..Range::of(Key::from_slice(prefix), after) };
            let mut walk = Walk::new(&tables, range, budget, |key, row| {
                let Row::Bytes(value) = row else { return None };
                Some((key.to_vec(), value))
            });
            (walk.by_ref().collect(), walk.rest_after())
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(Vec<u8>, u8),
        Delete(Vec<u8>),
        Freeze,
    }

    /// Keys of two tables, some of them prefixes of others.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        (7..=8u8, proptest::collection::vec(prop_oneof![0..3u8, Just(255)], 0..4))
            .prop_map(|(table, rest)| [vec![table], rest].concat())
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (key(), 0..9u8).prop_map(|(key, len)| Step::Put(key, len)),
            3 => key().prop_map(Step::Delete),
            1 => Just(Step::Freeze),
        ]
    }

    const ALL: Budget = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };

    proptest! {
        #[test]
        fn turns_show_what_there_is_in_order_and_once(
            steps in proptest::collection::vec(step(), 0..120),
            prefix in key(),
            rows_max in 1..9usize,
            bytes_max in 1..40usize,
            is_descending in any::<bool>(),
        ) {
            let order = if is_descending { Order::Descending } else { Order::Ascending };
            let (mut layers, mut model) = (Layers::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Put(key, len) => {
                        let value = Bytes::from(vec![len; usize::from(len)]);
                        layers.live.put(Key::from_slice(&key), Row::Bytes(value.clone()));
                        model.insert(key, value);
                    }
                    Step::Delete(key) => {
                        layers.live.delete(Key::from_slice(&key));
                        model.remove(&key);
                    }
                    Step::Freeze => layers.freeze(),
                }
            }
            let within = model.into_iter().filter(|(key, _)| key.starts_with(&prefix));
            let mut expected: Vec<_> = within.collect();
            if is_descending {
                expected.reverse();
            }
            prop_assert_eq!(&layers.turn(&prefix, None, ALL, order), &(expected.clone(), None));
            let (mut found, mut after, budget) = (Vec::new(), None, Budget { rows_max, bytes_max });
            loop {
                meter::take();
                let (rows, rest_after) = layers.turn(&prefix, after.as_deref(), budget, order);
                prop_assert!(meter::take() <= 3 * rows_max, "a step looks at each layer once");
                let all_but_last = rows.split_last().map_or(&[][..], |(_, rest)| rest);
                let bytes = all_but_last.iter().map(|(key, value)| key.len() + value.len());
                prop_assert!(bytes.sum::<usize>() < bytes_max);
                let is_further = rest_after.is_none() || after.is_none() || match order {
                    Order::Ascending => rest_after > after,
                    Order::Descending => rest_after < after,
                };
                prop_assert!(is_further, "{after:?}, then {rest_after:?}");
                found.extend(rows);
                after = rest_after;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(found, expected);
        }
    }

    /// For example, an object whose many state keys were cleared.
    #[test]
    fn removed_rows_are_not_passed_for_nothing() {
        let mut layers = Layers::default();
        let key = |n: u32| Table::State.key().u32(n).done();
        for n in 0..10_000 {
            layers.live.put(key(n), Row::Bytes(Bytes::from_static(b"value")));
        }
        layers.freeze();
        layers.freeze();
        for n in 0..9999 {
            layers.live.delete(key(n));
        }
        let budget = Budget { rows_max: 64, bytes_max: usize::MAX };
        meter::take();
        let (rows, rest_after) = layers.turn(&[7], None, budget, Order::Ascending);
        assert!(meter::take() <= 3 * 64);
        assert_eq!((rows.len(), rest_after), (0, Some(key(63))));
        let (rows, rest_after) = layers.turn(&[7], Some(&key(9990)), budget, Order::Ascending);
        assert_eq!((rows.len(), rest_after), (1, None));
    }

    #[test]
    fn a_place_in_another_list_has_nothing_after_it() {
        let mut layers = Layers::default();
        layers.live.put(Table::State.key().u8(1).u8(1).done(), Row::Bytes(Bytes::new()));
        assert_eq!(layers.turn(&[7, 1], None, ALL, Order::Ascending).0.len(), 1);
        for other in [&[][..], &[6, 9], &[7], &[7, 0, 9], &[7, 2], &[8]] {
            for order in [Order::Ascending, Order::Descending] {
                let nothing = (Vec::new(), None);
                assert_eq!(layers.turn(&[7, 1], Some(other), ALL, order), nothing, "{other:?}");
            }
        }
    }
}
