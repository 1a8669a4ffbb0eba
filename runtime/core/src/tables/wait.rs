//! Whether what a suspended invocation waits for has arrived.
//!
//! The rows of all leaves hold the answer. A narrow wait reads them each time; a wide one reads
//! them once and is then evaluated incrementally, so that a notification costs only what it decides
//! and the other leaves are not read again.

use protocol::journal::{Awaiting, EntryIndex, NotificationId, awaiting::Evaluation};

use super::{Row, Table, Tables, meter};
use crate::model::{
    ids::Lsn,
    invocation::{Status, WaitingFor},
};

/// Trees with up to this many nodes and up to this many leaves are evaluated from the rows each
/// time, which is cheaper than caching them.
const NARROW_MAX: usize = 16;

impl Tables<'_> {
    /// Whether an await tree is resolved by entries that come after the first `seen`. If not, the
    /// invocation must be suspended on it.
    pub(crate) fn is_resolved(
        &mut self,
        invocation: Lsn,
        awaiting: &Awaiting,
        seen: EntryIndex,
    ) -> bool {
        if is_narrow(awaiting) {
            return self.look(invocation, awaiting, seen);
        }
        let wait = Evaluation::begin(awaiting, &mut |id| self.outcome(invocation, id, seen));
        self.remember(invocation, wait)
    }

    /// Whether the notification that was just stored resolves the suspended invocation's tree.
    /// Returns false if it is not suspended.
    pub(crate) fn is_resolved_by(&mut self, invocation: Lsn, id: &NotificationId) -> bool {
        let Some((_, seen)) = self.suspended(invocation) else { return false };
        if self.live.hints.wait_mut(invocation).is_some() {
            let outcome = self.outcome(invocation, id, seen);
            let wait = self.live.hints.wait_mut(invocation);
            return wait.is_some_and(|wait| {
                let before = wait.visited();
                let is_resolved = wait.learn(id, outcome);
                meter::count(wait.visited() - before);
                is_resolved
            });
        }
        let Some((awaiting, seen)) = self.suspended(invocation) else { return false };
        if is_narrow(awaiting) {
            return self.look(invocation, awaiting, seen);
        }
        let wait = Evaluation::begin(awaiting, &mut |id| self.outcome(invocation, id, seen));
        self.remember(invocation, wait)
    }

    /// Like [`Self::is_resolved_by`], but evaluates the whole tree again: for rules under which a
    /// later delivery could change the outcome of an earlier one.
    pub(crate) fn is_resolved_anew(&mut self, invocation: Lsn) -> bool {
        self.forget_wait(invocation);
        let suspended = self.suspended(invocation);
        suspended.is_some_and(|(awaiting, seen)| self.look(invocation, awaiting, seen))
    }

    /// Forgets the cached wait of an invocation that resumes or ends.
    pub(crate) fn forget_wait(&mut self, invocation: Lsn) {
        self.live.hints.forget_wait(invocation);
    }

    fn look(&self, invocation: Lsn, awaiting: &Awaiting, seen: EntryIndex) -> bool {
        awaiting.is_resolved(&mut |id| self.outcome(invocation, id, seen))
    }

    fn remember(&mut self, invocation: Lsn, wait: Option<Evaluation>) -> bool {
        match wait {
            None => true,
            Some(wait) => {
                meter::count(wait.visited());
                self.live.hints.remember_wait(invocation, wait);
                false
            }
        }
    }

    /// What an invocation waits for. Its row must have been changed already, so that it is in the
    /// overlay.
    fn suspended(&self, invocation: Lsn) -> Option<(&Awaiting, EntryIndex)> {
        let row = self.live.get(&Table::Invocation.key().lsn(invocation).done())?.row.as_ref()?;
        let Row::Invocation(row) = row else { return None };
        match &row.status {
            Status::Waiting(WaitingFor::Notification { awaiting, seen }) => Some((awaiting, *seen)),
            Status::Waiting(_)
            | Status::Running { .. }
            | Status::Paused
            | Status::Completed { .. } => None,
        }
    }
}

fn is_narrow(awaiting: &Awaiting) -> bool {
    let nodes = awaiting.nodes();
    nodes.len() <= NARROW_MAX
        && nodes.iter().map(|node| node.leaves.len()).sum::<usize>() <= NARROW_MAX
}
