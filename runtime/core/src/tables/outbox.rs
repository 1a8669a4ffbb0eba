//! Key: receiver, sequence number. Row: a message that the receiver has not acknowledged.

use serde::{Deserialize, Serialize};

use super::{
    Key, Row, Table, Tables,
    key::KeyReader,
    row::expect_row,
    walk::{Budget, Range, Walk},
};
use crate::{
    model::{ids::PartitionId, message::Message},
    time::Stamp,
};

/// A message in transit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Stamp of the record that sent it, which determines the order of redelivery during recovery.
    pub stamp: Stamp,
    /// The message itself.
    pub message: Message,
}

impl Tables<'_> {
    /// Unacknowledged messages, ordered by receiver and sequence number, starting at the given one.
    pub fn outgoing(
        &self,
        from: (PartitionId, u64),
        limit: usize,
    ) -> Vec<(PartitionId, u64, Outgoing)> {
        let rows = self.scan(&Table::Outbox.key().done(), &row_key(from.0, from.1), limit);
        rows.into_iter().filter_map(|(key, row)| decode(&key, row)).collect()
    }

    /// Unacknowledged messages, to one receiver or to all.
    pub fn walk_outgoing(
        &self,
        to: Option<PartitionId>,
        after: Option<&[u8]>,
        budget: Budget,
    ) -> Walk<'_, (PartitionId, u64, Outgoing)> {
        let table = Table::Outbox.key();
        let prefix = match to {
            Some(to) => table.u16(to.0).done(),
            None => table.done(),
        };
        let floor = self.live.hints.floor(&prefix);
        Walk::new(self, Range { from: floor, ..Range::of(prefix, after) }, budget, decode)
    }

    /// Sequence number of the first unacknowledged message to a receiver.
    pub fn first_outgoing(&self, to: PartitionId) -> Option<u64> {
        let first = self.outgoing((to, 0), 1).into_iter().next();
        first.filter(|(receiver, _, _)| *receiver == to).map(|(_, sequence, _)| sequence)
    }

    pub(crate) fn push_outgoing(&mut self, to: PartitionId, sequence: u64, outgoing: Outgoing) {
        self.create(row_key(to, sequence), Row::Outgoing(Box::new(outgoing)));
    }

    /// Deletes the messages to `to` up to `sequence`.
    pub(crate) fn delete_outgoing(&mut self, to: PartitionId, sequence: u64) {
        let prefix = Table::Outbox.key().u16(to.0).done();
        while let Some(key) = self.first_of(prefix.clone(), &prefix)
            && key <= row_key(to, sequence)
        {
            assert!(key.starts_with(&prefix), "{key:?} is not a message to {to:?}");
            self.delete(key);
        }
    }
}

fn decode(key: &[u8], row: Row) -> Option<(PartitionId, u64, Outgoing)> {
    let mut reader = KeyReader::new(key);
    let receiver = PartitionId(reader.u16()?);
    Some((receiver, reader.u64()?, *expect_row!(row, Outgoing)))
}

/// The sequence number after that of a key; `None` if it is not a key of this table.
pub(crate) fn sequence_after(key: &[u8]) -> Option<u64> {
    let mut reader = KeyReader::new(key);
    reader.u16()?;
    reader.u64()?.checked_add(1)
}

pub(crate) fn row_key(to: PartitionId, sequence: u64) -> Key {
    Table::Outbox.key().u16(to.0).u64(sequence).done()
}
