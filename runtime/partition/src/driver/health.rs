//! Answers health queries.

use runtime_core::tables::Tables;
use tokio::sync::oneshot;

use super::Driver;
use crate::health::{OverBudget, PartitionHealth, STUCK_AFTER};

impl Driver {
    pub(super) fn answer_pings(&mut self, pings: Vec<oneshot::Sender<PartitionHealth>>) {
        if pings.is_empty() {
            return;
        }
        let stuck = [self.inbox.syncing_since_us(), self.held_since_us];
        let [log_stuck_ms, checkpoint_stuck_ms] = stuck.map(|since_us| self.stuck_ms(since_us));
        let tables = Tables::new(&mut self.live, self.store.base());
        let retained = tables.retained();
        let budget_bytes = self.settings.retention_budget_bytes;
        let health = PartitionHealth {
            has_room: !self.inbox.is_disk_full(),
            log_stuck_ms,
            checkpoint_stuck_ms,
            promised_over_budget: (retained.bytes > budget_bytes && !retained.may_shrink)
                .then_some(OverBudget { retained_bytes: retained.bytes, budget_bytes }),
            tables_bytes: self.store.file_bytes(),
            tables_free_share: self.store.free_share(),
        };
        for ping in pings {
            let _ = ping.send(health.clone()); // The caller may be gone.
        }
        // A log can fail while nothing is appended. This barrier detects that, and the node stops.
        self.after_durable(0, || ());
    }

    /// How long a condition that should not last has lasted, once that is too long.
    fn stuck_ms(&self, since_us: Option<u64>) -> Option<u64> {
        let lasts_us = self.clock.now_us().saturating_sub(since_us?);
        Some(lasts_us / 1000).filter(|lasts_ms| u128::from(*lasts_ms) >= STUCK_AFTER.as_millis())
    }
}
