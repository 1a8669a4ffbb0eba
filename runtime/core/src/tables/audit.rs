//! Key: number. Row: what an operator asked for, and what became of it.

use super::{
    Order, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk},
};
use crate::model::operation::Audited;

/// How many operations are kept: the latest ones. Each takes a few hundred bytes, and about 2 KiB
/// at most.
pub const AUDITED_MAX: u64 = 100_000;

impl Tables<'_> {
    /// What operators have asked for, each with its number, in this order.
    pub fn walk_audit(
        &self,
        (after, order): (Option<&[u8]>, Order),
        budget: Budget,
    ) -> Walk<'_, (u64, Audited)> {
        let range = Range { order, ..Range::of(Table::Audit.key().done(), after) };
        Walk::new(self, range, budget, |key, row| {
            Some((KeyReader::new(key).u64()?, *expect_row!(row, Audited)))
        })
    }

    /// Keeps an operation; the oldest one makes room for it.
    pub(crate) fn audit(&mut self, audited: Audited) {
        let one = Budget { rows_max: 1, bytes_max: usize::MAX };
        let last = self.walk_audit((None, Order::Descending), one).next();
        let number = last.map_or(0, |(last, _)| last + 1);
        self.put(Table::Audit.key().u64(number).done(), Row::Audited(Box::new(audited)));
        if let Some(oldest) = number.checked_sub(AUDITED_MAX) {
            self.delete(Table::Audit.key().u64(oldest).done());
        }
    }
}
