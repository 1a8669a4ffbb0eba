//! Messages to other partitions that have not been acknowledged yet.

use runtime_core::{PartitionId, model::message::Message, tables::Tables, time::Stamp};

use crate::{
    View,
    page::{Budget, Cursor, Page},
};

/// An unacknowledged message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The partition it is for.
    pub to: PartitionId,
    /// Its number among the messages to that partition.
    pub sequence: u64,
    /// When it was sent.
    pub sent: Stamp,
    /// Its content.
    pub message: Message,
}

/// Reads messages by receiving partition, each in sending order.
#[derive(Debug, Clone)]
pub struct List {
    /// The receiving partition, or all of them.
    pub to: Option<PartitionId>,
    /// The cursor to continue from.
    pub after: Option<Cursor>,
    /// Limit on how much to read.
    pub budget: Budget,
}

impl View for List {
    type Output = Page<Outgoing>;

    fn read(self, tables: &Tables<'_>) -> Page<Outgoing> {
        let after = self.after.as_ref().map(Cursor::key);
        let walk = tables.walk_outgoing(self.to, after, self.budget);
        Page::of(walk, |_, (to, sequence, row)| Outgoing {
            to,
            sequence,
            sent: row.stamp,
            message: row.message,
        })
    }
}
