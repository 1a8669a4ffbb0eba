//! Resends messages to other partitions that may have been lost on the way, from the rows.
//!
//! New messages may overtake them and are ignored by the receiver: they are in the rows, too, and
//! are resent after the older ones. On one node nothing is lost, so only the simulator uses this so
//! far; after a start, `node.rs` hands over everything that is not acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;

use runtime_core::{
    PartitionId, obligations,
    tables::{Tables, walk::Budget},
};

use super::Driver;

/// Limit on what one turn resends.
const BUDGET: Budget = Budget { rows_max: 1024, bytes_max: 8 << 20 };

impl Driver {
    /// Starts resending to the partitions in `lost` and continues with one partition; returns
    /// whether anything was sent or is left to send.
    pub(super) fn resend(&mut self, lost: BTreeSet<PartitionId>) -> bool {
        self.resending.extend(lost.into_iter().map(|to| (to, None)));
        let Some((to, after)) = self.resending.pop_first() else { return false };
        let tables = Tables::new(&mut self.live, self.store.base());
        let (messages, rest) = obligations::messages_to(&tables, to, after.as_deref(), BUDGET);
        if rest.is_some() {
            self.resending.insert(to, rest);
        }
        let has_some = !messages.is_empty();
        if has_some {
            let dispatch = Arc::clone(&self.dispatch);
            self.after_durable(move || dispatch.dispatch(messages, None));
        }
        has_some || !self.resending.is_empty()
    }
}
