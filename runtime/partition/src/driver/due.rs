//! What becomes due as time passes: timers that fire, and finished invocations to remove.

use runtime_core::{
    PartitionId, event::Event, model::timer::TimerKey, tables::Tables, time::Timestamp,
};

use super::Driver;
use crate::lanes::Intake;

impl Driver {
    /// Adds events for timers and removals that are due.
    pub(super) fn add_due(&mut self, now: Timestamp, intake: Intake, events: &mut Vec<Event>) {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let mut tables = Tables::new(&mut self.live, self.store.base());
        if is_due(self.next_timer) && intake != Intake::Reserve {
            let due = tables.timers_due(Timestamp(0), now, self.settings.timers_max);
            check_due(self.partition.id, &due, self.next_timer, now);
            // The rows that fire are gone once this batch is applied, so the search continues after
            // them. What is left of the same millisecond is found by the next turn.
            self.next_timer = match due.last() {
                Some(last) => tables.next_timer(last.at),
                None => tables.next_timer(Timestamp(0)),
            };
            events.extend(due.into_iter().map(|timer| Event::TimerFired { timer }));
        }
        let budget_bytes = self.settings.retention_budget_bytes;
        let is_over_budget = tables.meta().retained_bytes > budget_bytes;
        let may_make_room = is_over_budget && tables.retained().may_shrink;
        // What was promised is kept, however much it takes up; one warning is enough.
        let is_overpromised = is_over_budget && !may_make_room;
        if is_overpromised && !self.is_overpromised {
            tracing::warn!(
                partition = self.partition.id.0,
                budget_bytes,
                "promised results exceed the retention budget and are kept anyway"
            );
        }
        self.is_overpromised = is_overpromised;
        if is_due(self.next_expiry) || may_make_room {
            events.push(Event::CleanupDue { budget_bytes, limit: self.settings.expiries_max });
            self.next_expiry = tables.next_expiry(Timestamp(0)).map(|(at, _, _)| at);
        }
    }
}

/// Checks that timers are due by now, and not before the time at which the first was expected: a
/// timer that was not expected would have fired late.
fn check_due(partition: PartitionId, due: &[TimerKey], next: Option<Timestamp>, now: Timestamp) {
    let (Some(first), Some(last)) = (due.first(), due.last()) else { return };
    assert!(
        next.is_some_and(|next| next <= first.at) && last.at <= now,
        "partition {}: timers fire from {:?} to {:?}, but the first was expected at {next:?} and \
         now is {now:?}",
        partition.0,
        first.at,
        last.at
    );
}
