//! Checkpoints: started when due, installed once written.

use std::sync::Arc;

use runtime_store::CheckpointDone;

use super::{Driver, log_id};

impl Driver {
    pub(super) fn maybe_checkpoint(&mut self) {
        // A reader that would add a layer too many waits for this one.
        let is_awaited = !self.holders.is_empty() && !self.schedule.is_running();
        if is_awaited || self.schedule.is_due(self.clock.now_us(), self.unwritten_bytes()) {
            let inbox = Arc::clone(&self.inbox);
            self.checkpoint(move |done| inbox.put(|lanes| lanes.notices.checkpoint = Some(done)));
        }
    }

    /// Starts a checkpoint if there is anything to write; `told` is called when it has been
    /// written.
    pub(super) fn checkpoint(&mut self, told: impl FnOnce(CheckpointDone) + Send + 'static) {
        if self.unwritten_bytes() == 0 {
            return;
        }
        self.schedule.started();
        let job = self.store.freeze(&mut self.live, self.applied);
        let checkpoints = Arc::clone(&self.checkpoints);
        self.after_durable(0, move || checkpoints.run(job, Box::new(told)));
    }

    /// Continues from a checkpoint that was written. Returns false if it could not be written.
    pub(super) fn install(&mut self, done: CheckpointDone) -> bool {
        let (before, durable) = (self.store.applied(), self.durable.last());
        match self.store.install(done) {
            Ok(checkpointed) => {
                // Tables that are ahead of the log cannot be used after a crash.
                assert!(
                    before < checkpointed && checkpointed <= durable,
                    "partition {}: the tables go from record {} to {}, but only {} is durable",
                    self.partition.id.0,
                    before.0,
                    checkpointed.0,
                    durable.0
                );
                self.log.trim(log_id(self.partition.id), runtime_log::Lsn(checkpointed.0));
                self.schedule.finished(self.clock.now_us());
                // If edges still wait, then for the next checkpoint.
                self.held_since_us = None;
                self.may_bring_one = true;
                true
            }
            Err(error) => {
                tracing::error!(partition = self.partition.id.0, "{error}");
                false
            }
        }
    }
}
