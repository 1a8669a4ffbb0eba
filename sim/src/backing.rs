//! What backs off: since its endpoint can't be reached for a while, and until somebody cancels it.

use std::collections::{BTreeMap, BTreeSet};

use runtime_core::{Lsn, PartitionId, effect::StartAttempt, time::Timestamp};
use runtime_embedded::Random;

use crate::stats::{Fault, Stats};

type Name = (PartitionId, Lsn);

/// What is known from outside of those that back off.
#[derive(Default)]
pub(crate) struct Backing {
    /// Steps until endpoints can be reached; 0 while they can.
    steps_left: usize,
    /// Attempts under way whose predecessors were not all sent.
    sent_again: BTreeSet<Name>,
    /// When each cancelled invocation would have been retried.
    cancelled: BTreeMap<Name, Timestamp>,
}

impl Backing {
    /// Nobody is there from now on, for a while.
    pub(crate) fn unplug(&mut self, random: &mut Random) {
        if self.steps_left == 0 {
            self.steps_left = 30 + random.index(200);
        }
    }

    /// A step has passed.
    pub(crate) fn pass(&mut self) {
        self.steps_left = self.steps_left.saturating_sub(1);
    }

    pub(crate) fn plug_in(&mut self) {
        self.steps_left = 0;
    }

    /// Somebody cancels one that waits until then.
    pub(crate) fn cancel(&mut self, name: Name, until: Timestamp, stats: &mut Stats) {
        stats.inject(Fault::CancelledBackOff);
        self.cancelled.insert(name, until);
    }

    /// An attempt begins; whether it can be sent.
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
