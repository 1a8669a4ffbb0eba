//! Key: service. Row: how many of its invocations are in each status, so that nobody has to count
//! them. There is none while the service has no invocation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Key, Order, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk, Within},
};
use crate::model::invocation::StatusKind;

/// Numbers of invocations by status, in the order of [`StatusKind::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally([u64; StatusKind::ALL.len()]);

impl Tally {
    /// The statuses in which there are any, with their numbers.
    pub fn counts(self) -> impl Iterator<Item = (StatusKind, u64)> {
        StatusKind::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// Counts another invocation.
    pub(crate) fn add(&mut self, status: StatusKind) {
        self.0[place(status)] += 1;
    }

    fn remove(&mut self, status: StatusKind) {
        let count = &mut self.0[place(status)];
        assert!(*count > 0, "an invocation leaves {status:?}, where there is none");
        *count -= 1;
    }
}

fn place(status: StatusKind) -> usize {
    // Statuses are numbered from 1 on.
    usize::from(status as u8) - 1
}

impl Tables<'_> {
    /// The tallies of one service or of all, ordered by service.
    pub fn walk_tallies(
        &self,
        service: Option<&str>,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (String, Tally)> {
        let within = service.map_or(Within::All, |service| Within::Service(service.to_owned()));
        let prefix = Table::Tally.key().within(&within).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            Some((KeyReader::new(key).text()?, *expect_row!(row, Tally)))
        })
    }

    /// An invocation of a service leaves a status, enters one, or both.
    ///
    /// # Panics
    /// Panics if it leaves a status in which there is none.
    pub(crate) fn tally(
        &mut self,
        service: &str,
        from: Option<StatusKind>,
        to: Option<StatusKind>,
    ) {
        let key = row_key(service);
        let tally = match self.get_mut(key.clone()) {
            Some(Row::Tally(tally)) => tally,
            Some(other) => panic!("a tally is {other:?}"),
            None => {
                let mut tally = Tally::default();
                assert!(from.is_none(), "an invocation of {service} leaves {from:?}, unknown");
                to.into_iter().for_each(|to| tally.add(to));
                return self.put_absent(key, Row::Tally(Box::new(tally)));
            }
        };
        from.into_iter().for_each(|from| tally.remove(from));
        to.into_iter().for_each(|to| tally.add(to));
        if **tally == Tally::default() {
            self.delete(key);
        }
    }

    /// Counts all invocations, if a version without tallies has written them. Reads every one of
    /// them.
    pub fn tally_if_missing(&mut self) {
        let one = Budget { rows_max: 1, bytes_max: usize::MAX };
        if self.walk_tallies(None, None, one).next().is_some() {
            return;
        }
        let mut tallies = BTreeMap::<Key, Tally>::new();
        let all = Budget { rows_max: usize::MAX, bytes_max: usize::MAX };
        for (_, row) in self.walk_invocations(Order::Ascending, None, all) {
            tallies.entry(row_key(&row.target.service)).or_default().add(row.status.kind());
        }
        for (key, tally) in tallies {
            self.put(key, Row::Tally(Box::new(tally)));
        }
    }
}

fn row_key(service: &str) -> Key {
    Table::Tally.key().bytes(service.as_bytes()).done()
}
