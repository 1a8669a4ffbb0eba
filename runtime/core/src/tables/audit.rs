//! Key: number. Row: what an operator asked for, and what became of it.

use super::{
    Order, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk},
};
use crate::model::{operation::Audited, registry_change::AuditedChange, state_edit::AuditedEdit};

/// How much is kept: the latest entries. Each takes a few hundred bytes; an operation about 2 KiB
/// at most, and an edit of state or a change of the registry about 20 KiB.
pub const AUDITED_MAX: u64 = 100_000;

/// What the audit keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditEntry {
    /// An operation on an invocation.
    Operation(Box<Audited>),
    /// An edit of state.
    StateEdit(Box<AuditedEdit>),
    /// A change of the registry.
    Change(Box<AuditedChange>),
}

impl Tables<'_> {
    /// What operators have asked for, each with its number, in this order.
    pub fn walk_audit(
        &self,
        (after, order): (Option<&[u8]>, Order),
        budget: Budget,
    ) -> Walk<'_, (u64, AuditEntry)> {
        let range = Range { order, ..Range::of(Table::Audit.key().done(), after) };
        Walk::new(self, range, budget, |key, row| Some((KeyReader::new(key).u64()?, entry(row))))
    }

    /// Keeps an entry; the oldest one makes room for it.
    pub(crate) fn audit(&mut self, entry: AuditEntry) {
        let one = Budget { rows_max: 1, bytes_max: usize::MAX };
        let last = self.walk_audit((None, Order::Descending), one).next();
        let number = last.map_or(0, |(last, _)| last + 1);
        let row = match entry {
            AuditEntry::Operation(audited) => Row::Audited(audited),
            AuditEntry::StateEdit(audited) => Row::AuditedEdit(audited),
            AuditEntry::Change(audited) => Row::AuditedChange(audited),
        };
        self.put(Table::Audit.key().u64(number).done(), row);
        if let Some(oldest) = number.checked_sub(AUDITED_MAX) {
            self.delete(Table::Audit.key().u64(oldest).done());
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the table has no other rows")]
fn entry(row: Row) -> AuditEntry {
    match row {
        Row::AuditedEdit(audited) => AuditEntry::StateEdit(audited),
        Row::AuditedChange(audited) => AuditEntry::Change(audited),
        other => AuditEntry::Operation(expect_row!(other, Audited)),
    }
}
