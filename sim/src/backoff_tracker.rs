//! Tracks invocations that back off: their endpoint is unreachable for a while, or an operator
//! cancels them.

use std::collections::{BTreeMap, BTreeSet};

use runtime_core::{Lsn, PartitionId, effect::StartAttempt, time::Timestamp};
use runtime_embedded::Random;

use crate::stats::{Fault, Stats};

type Name = (PartitionId, Lsn);

/// What the simulator knows about invocations that back off.
#[derive(Default)]
pub(crate) struct Backing {
    /// Steps until endpoints are reachable again; 0 if they are.
    steps_left: usize,
    /// Invocations whose current attempt follows attempts that could not be sent.
    sent_again: BTreeSet<Name>,
    /// When each cancelled invocation would have been retried.
    cancelled: BTreeMap<Name, Timestamp>,
}

impl Backing {
    /// Makes all endpoints unreachable for a while.
    pub(crate) fn unplug(&mut self, random: &mut Random) {
        if self.steps_left == 0 {
            self.steps_left = 30 + random.index(200);
        }
    }

    /// Counts down one step.
    pub(crate) fn pass(&mut self) {
        self.steps_left = self.steps_left.saturating_sub(1);
    }

    pub(crate) fn plug_in(&mut self) {
        self.steps_left = 0;
    }

    /// Records that an operator cancelled an invocation that is backing off until `until`.
    pub(crate) fn cancel(&mut self, name: Name, until: Timestamp, stats: &mut Stats) {
        stats.inject(Fault::CancelledBackOff);
        self.cancelled.insert(name, until);
    }

    /// Starts an attempt; returns whether it can be sent.
    pub(crate) fn start(
        &mut self,
        partition: PartitionId,
        start: &StartAttempt,
        stats: &mut Stats,
    ) -> bool {
        let name = (partition, start.attempt.invocation);
        let until = self.cancelled.remove(&name);
        stats.bite(Fault::CancelledBackOff, until.is_some_and(|until| start.now < until));
        let is_sent = self.steps_left == 0;
        if !is_sent {
            stats.add(Fault::Unreachable, start.unsent > 0);
        } else if start.unsent > 0 {
            stats.inject(Fault::ReachedAgain);
            self.sent_again.insert(name);
        } else {
            stats.bite(Fault::ReachedAgain, self.sent_again.remove(&name));
        }
        is_sent
    }
}
