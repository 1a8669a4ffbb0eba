//! Key: LSN of creation. Row: everything about one invocation except its journal.
//!
//! A second table maps the invocation id to that LSN. Random ids are time-ordered, and so are
//! creation LSNs, so both tables grow at their right edge.

use protocol::InvocationId;

use super::{
    Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    slots::Order,
    walk::{Budget, Range, Walk},
};
use crate::model::{ids::Lsn, invocation::Invocation};

impl Tables<'_> {
    /// The invocation created by the record at `lsn`.
    pub fn invocation(&self, lsn: Lsn) -> Option<Box<Invocation>> {
        self.get(&Table::Invocation.key().lsn(lsn).done()).map(|row| expect_row!(row, Invocation))
    }

    /// Size in bytes of an invocation's row, its result included; 0 if there is none.
    pub(crate) fn invocation_bytes(&self, lsn: Lsn) -> usize {
        self.size(&Table::Invocation.key().lsn(lsn).done())
    }

    /// The LSN that created the invocation with this id.
    pub fn invocation_lsn(&self, id: InvocationId) -> Option<Lsn> {
        self.get(&id_key(id)).map(|row| expect_row!(row, Lsn))
    }

    /// All invocations, ordered by creation.
    pub fn walk_invocations(
        &self,
        order: Order,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (Lsn, Box<Invocation>)> {
        let range = Range { order, ..Range::of(Table::Invocation.key().done(), after) };
        Walk::new(self, range, budget, |key, row| {
            Some((KeyReader::new(key).lsn()?, expect_row!(row, Invocation)))
        })
    }

    pub(crate) fn invocation_mut(&mut self, lsn: Lsn) -> Option<&mut Invocation> {
        let row = self.get_mut(Table::Invocation.key().lsn(lsn).done())?;
        Some(expect_row!(row, Invocation))
    }

    pub(crate) fn create_invocation(&mut self, lsn: Lsn, invocation: Invocation) {
        self.put_absent(id_key(invocation.id), Row::Lsn(lsn));
        let key = Table::Invocation.key().lsn(lsn).done();
        self.create(key, Row::Invocation(Box::new(invocation)));
    }

    pub(crate) fn delete_invocation(&mut self, lsn: Lsn, id: InvocationId) {
        self.delete(id_key(id));
        self.delete(Table::Invocation.key().lsn(lsn).done());
    }
}

fn id_key(id: InvocationId) -> super::Key {
    Table::InvocationId.key().u128(id.uuid).u64(id.partition_key.0).done()
}
