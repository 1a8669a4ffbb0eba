//! Key: empty, since there is only one row. Row: facts about the whole partition.

use serde::{Deserialize, Serialize};

use super::{Row, Table, Tables, row::expect_row};
use crate::{
    model::ids::{Lsn, PartitionId},
    time::Stamp,
};

/// Facts about the whole partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The last record applied.
    pub applied: Lsn,
    /// The stamp of that record.
    pub stamp: Stamp,
    /// For each other partition, the sequence number of the last message sent to it.
    pub sent: Vec<(PartitionId, u64)>,
    /// For each other partition, the sequence number of the last message accepted from it.
    pub received: Vec<(PartitionId, u64)>,
    /// Estimate of the bytes that finished invocations occupy.
    pub retained_bytes: u64,
}

impl Meta {
    /// Sequence number of the last message sent to a partition; 0 before the first.
    pub fn sent_to(&self, to: PartitionId) -> u64 {
        let at = self.sent.binary_search_by_key(&to, |(id, _)| *id);
        at.map_or(0, |at| self.sent[at].1)
    }
}

impl Tables<'_> {
    /// The meta row; its default before the first record.
    pub fn meta(&self) -> Meta {
        self.get(&Table::Meta.key().done())
            .map_or_else(Meta::default, |row| *expect_row!(row, Meta))
    }

    /// The LSN of the last record applied.
    pub fn applied(&self) -> Lsn {
        self.meta().applied
    }

    pub(crate) fn meta_mut(&mut self) -> &mut Meta {
        let row = self.get_or_create_mut(Table::Meta.key().done(), || Row::Meta(Box::default()));
        #[expect(clippy::expect_used, reason = "it is never removed")]
        let row = row.expect("the meta row is there");
        expect_row!(row, Meta)
    }
}

/// The sequence number stored for `peer`; 0 before the first message.
pub(crate) fn sequence_mut(list: &mut Vec<(PartitionId, u64)>, peer: PartitionId) -> &mut u64 {
    let at = match list.binary_search_by_key(&peer, |(id, _)| *id) {
        Ok(at) => at,
        Err(at) => {
            list.insert(at, (peer, 0));
            at
        }
    };
    &mut list[at].1
}
