//! Resends messages to other partitions, from the rows, when these ask for them: because they had
//! no memory for them, or after a start. A transport may lose some, too; on one node nothing is
//! lost, so only the simulator does that so far.

use std::sync::Arc;

use runtime_core::{
    event::Event,
    obligations,
    tables::{Tables, walk::Budget},
};

use super::Driver;
use crate::peers::Resent;

/// Limit on what is resent at a time. A receiver that needs more asks again.
const BUDGET: Budget = Budget { rows_max: 1024, bytes_max: 8 << 20 };

impl Driver {
    /// Resends messages to one partition; returns whether there was one that needs some.
    pub(super) fn resend(&mut self) -> bool {
        let Some((to, first)) = self.resending.pop_first() else { return false };
        let from = self.partition.id;
        let tables = Tables::new(&mut self.live, self.store.base());
        let (messages, more_from) = obligations::messages_to(&tables, to, first, BUDGET);
        let next = more_from.unwrap_or_else(|| tables.meta().sent_to(to) + 1);
        let messages = messages.into_iter().map(|(sequence, sent)| {
            let message = sent.message;
            (sent.stamp, Event::MessageReceived { from, sequence, message })
        });
        let resent = Resent::new(from, first, messages.collect(), next, more_from.is_some());
        let dispatch = Arc::clone(&self.dispatch);
        self.after_durable(resent.bytes(), move || dispatch.resend(to, resent));
        true
    }
}
