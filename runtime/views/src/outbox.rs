//! Messages to other partitions that have not been acknowledged.

use runtime_core::{PartitionId, model::message::Message, tables::Tables, time::Stamp};

use crate::{
    View,
    page::{Budget, Cursor, Page},
};

/// A message under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The partition it is for.
    pub to: PartitionId,
    /// Which of the messages to that partition it is.
    pub sequence: u64,
    /// When it was sent.
    pub sent: Stamp,
    /// What it says.
    pub message: Message,
}

/// Looks at messages in the order of receivers and of sending.
#[derive(Debug, Clone)]
pub struct List {
    /// To which partition; to all when absent.
    pub to: Option<PartitionId>,
    /// Where to go on.
    pub after: Option<Cursor>,
    /// How much may be read.
    pub budget: Budget,
}

impl View for List {
    type Seen = Page<Outgoing>;

    fn see(self, tables: &Tables<'_>) -> Page<Outgoing> {
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
