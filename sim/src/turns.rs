//! Turns of partitions, and which of their bounds they reach.

use std::panic::{AssertUnwindSafe, catch_unwind};

use runtime_core::time::Timestamp;
use runtime_partition::{Settings, driver::Counts};

use crate::{checks, restarts::Down, sabotage, stats::Fault, world::World};

impl World {
    /// Takes a turn of a random partition, unless that is stalled.
    pub(crate) fn any_turn(&mut self) -> Result<(), String> {
        let at = self.any_partition()?;
        match &mut self.stalled {
            Some((stalled, turns_left)) if *stalled == at => {
                *turns_left -= 1;
                if *turns_left == 0 {
                    self.stalled = None;
                    let waiting = self.node()?.has_peer_events(at);
                    self.stats.bite(Fault::Stalled, waiting);
                }
                Ok(())
            }
            Some(_) | None => self.take_turn(at).map(|_| ()),
        }
    }

    /// Takes one partition's turn. A node whose tables cannot be written ends, as its process
    /// would.
    pub(crate) fn take_turn(&mut self, at: usize) -> Result<bool, String> {
        let sabotage = self.sabotage;
        let slow = self.slow.steps_left > 0;
        let node = self.node()?;
        sabotage::before_turn(node, sabotage);
        let (is_overloaded, is_waiting) = node.holds_back(at);
        let before = node.counts(at);
        let worked = if node.media().have_tables_failed() {
            match catch_unwind(AssertUnwindSafe(|| node.turn(at))) {
                Ok(worked) => worked,
                Err(_) => {
                    self.stats.bite(Fault::TableError, true);
                    self.go_down(Down::Process)?;
                    return Ok(true);
                }
            }
        } else {
            node.turn(at)
        };
        let budget_bytes = self.settings.retention_budget_bytes;
        if budget_bytes < Settings::default().retention_budget_bytes {
            let kept = self.node()?.tables(at, |tables| tables.meta().retained_bytes);
            self.stats.add(Fault::Budget, kept > budget_bytes);
        }
        if is_overloaded {
            self.stats.add(Fault::Overload, is_waiting);
        }
        self.count_bounds(at, before)?;
        if worked && slow {
            self.slow.turns += 1;
        }
        if worked {
            let since = Timestamp(self.clock.now_ms());
            self.node()?
                .tables(at, |tables| checks::of_turn(tables, since))
                .map_err(|broken| format!("partition {at}: {broken}"))?;
        }
        Ok(worked)
    }

    /// Counts which of its bounds a turn has reached, in a world where they are small.
    fn count_bounds(&mut self, at: usize, before: Counts) -> Result<(), String> {
        let after = self.node()?.counts(at);
        let (settings, default) = (&self.settings, Settings::default());
        if settings.added_bytes_max < default.added_bytes_max {
            self.stats.add(Fault::TurnCut, after.turns_cut > before.turns_cut);
            self.stats.add(Fault::PeersFull, after.asked_again > before.asked_again);
        }
        if self.outside.has_large_results() {
            self.stats.add(Fault::LargeResults, after.passed_on > before.passed_on);
        }
        if settings.small_bytes_max < default.small_bytes_max {
            self.stats.add(Fault::SetAside, after.set_aside > before.set_aside);
        }
        Ok(())
    }
}
