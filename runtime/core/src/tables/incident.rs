//! Key: invocation, number. Row: what happened to it beside its journal.

use super::{
    Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk},
};
use crate::model::{ids::Lsn, incident::Incident};

/// How many incidents of an invocation are kept: the latest ones.
pub const INCIDENTS_MAX: u32 = 16;

/// The numbers of the incidents that are kept if there have been `count` so far.
pub(crate) fn kept(count: u32) -> std::ops::Range<u32> {
    count.saturating_sub(INCIDENTS_MAX)..count
}

impl Tables<'_> {
    /// The incidents of an invocation in order, each with its number.
    pub fn walk_incidents_of(
        &self,
        invocation: Lsn,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (u32, Incident)> {
        let prefix = Table::Incident.key().lsn(invocation).done();
        Walk::new(self, Range::of(prefix, after), budget, |key, row| {
            let mut reader = KeyReader::new(key);
            reader.lsn()?;
            Some((reader.u32()?, *expect_row!(row, Incident)))
        })
    }

    /// The incidents of all invocations, ordered by the creation of the invocation, then by number.
    pub fn walk_incidents(
        &self,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (Lsn, u32, Incident)> {
        let range = Range::of(Table::Incident.key().done(), after);
        Walk::new(self, range, budget, |key, row| {
            let mut reader = KeyReader::new(key);
            Some((reader.lsn()?, reader.u32()?, *expect_row!(row, Incident)))
        })
    }

    pub(crate) fn put_incident(&mut self, invocation: Lsn, number: u32, incident: Incident) {
        let key = Table::Incident.key().lsn(invocation).u32(number).done();
        self.create(key, Row::Incident(Box::new(incident)));
    }

    /// Removes an incident and returns it.
    ///
    /// # Panics
    /// Panics if there is no such incident.
    pub(crate) fn take_incident(&mut self, invocation: Lsn, number: u32) -> Incident {
        let key = Table::Incident.key().lsn(invocation).u32(number).done();
        let Some(row) = self.get(&key) else {
            panic!("incident {number} of {invocation:?} is missing")
        };
        self.delete(key);
        *expect_row!(row, Incident)
    }

    /// Removes all incidents of an invocation that has had `count`.
    pub(crate) fn delete_incidents(&mut self, invocation: Lsn, count: u32) {
        for number in kept(count) {
            self.delete(Table::Incident.key().lsn(invocation).u32(number).done());
        }
    }
}
