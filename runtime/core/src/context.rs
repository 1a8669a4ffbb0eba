//! What every transition works with: the rows, the record's LSN and time, and the sinks for effects
//! and messages.

use std::collections::VecDeque;

use protocol::InvocationId;

use crate::{
    effect::Effect,
    event::{Record, Rules},
    model::{
        ids::{Lsn, Partition},
        message::Message,
    },
    tables::Tables,
    time::{Stamp, Timestamp},
};

/// The context in which one record is applied.
pub(crate) struct Context<'a, 'b> {
    pub(crate) partition: Partition,
    pub(crate) tables: &'a mut Tables<'b>,
    pub(crate) lsn: Lsn,
    pub(crate) stamp: Stamp,
    /// The record's time in milliseconds.
    pub(crate) at: Timestamp,
    rules: Rules,
    effects: &'a mut Vec<Effect>,
    /// Messages to this partition itself, applied in order at the end of the record. A queue rather
    /// than recursion, so that a call tree of any depth can be killed.
    pub(crate) local: VecDeque<Message>,
}

impl<'a, 'b> Context<'a, 'b> {
    pub(crate) fn new(
        partition: Partition,
        tables: &'a mut Tables<'b>,
        record: &Record,
        effects: &'a mut Vec<Effect>,
    ) -> Self {
        let Record { lsn, stamp, rules, .. } = *record;
        let Partition { id, count, .. } = partition;
        assert!(id.0 < count, "{lsn:?}: applied by {id:?}, but there are {count} partitions");
        let (at, local) = (stamp.at(), VecDeque::new());
        Self { partition, tables, lsn, stamp, at, rules, effects, local }
    }

    /// Whether the record follows at least these rules.
    pub(crate) fn follows(&self, rules: Rules) -> bool {
        self.rules >= rules
    }

    /// Whether this partition owns the invocation.
    pub(crate) fn owns(&self, id: InvocationId) -> bool {
        Partition::owner(self.partition.count, id.partition_key) == self.partition.id
    }

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}
