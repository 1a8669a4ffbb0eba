//! What the tests of this crate give a node.

use std::sync::Mutex;

use protocol::journal::{Entry, EntryIndex};
use runtime_core::{
    PartitionId,
    effect::StartAttempt,
    model::{deployment::StoredDeployment, ids::AttemptRef, invocation::Pin},
    time::Stamp,
};

use crate::{Clock, Edges, Full};

/// Edges that take nothing.
pub(crate) struct Nobody;

impl Edges for Nobody {
    fn may_start(&self, _: &str, _: Option<Pin>, _: usize) -> Result<(), Full> {
        Ok(())
    }

    fn start_attempt(&self, _: PartitionId, _: Box<StartAttempt>) -> Result<(), Full> {
        Err(Full::All)
    }

    fn attempt_refused(&self, _: Full) {}

    fn send_notification(&self, _: PartitionId, _: AttemptRef, _: EntryIndex, _: Entry) {}

    fn abort_attempt(&self, _: PartitionId, _: AttemptRef) {}

    fn suspend_attempt(&self, _: PartitionId, _: AttemptRef) {}

    fn publish_registry(&self, _: Vec<StoredDeployment>) {}
}

/// A clock that advances only by the stamps that are taken.
#[derive(Debug, Default)]
pub(crate) struct Still(Mutex<u64>);

impl Clock for Still {
    fn now_us(&self) -> u64 {
        *self.0.lock().unwrap()
    }

    fn wall_us(&self) -> u64 {
        0
    }

    fn take(&self, count: u64) -> Stamp {
        let mut now_us = self.0.lock().unwrap();
        let first = *now_us + 1;
        *now_us += count;
        Stamp(first)
    }

    fn advance_past(&self, stamp: Stamp) {
        let mut now_us = self.0.lock().unwrap();
        *now_us = stamp.0.max(*now_us);
    }
}
