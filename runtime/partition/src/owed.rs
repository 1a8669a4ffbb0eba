//! Attempts that should be running and have not been offered, or were refused: offered (again), oldest
//! first, when the invoker has room.

use std::collections::BTreeSet;

use runtime_core::{Lsn, effect::Effect, event::AttemptRef, obligations, tables::Tables};

/// What is owed to the invoker.
#[derive(Debug)]
pub(crate) struct Owed {
    attempts: BTreeSet<AttemptRef>,
    /// Where the search for running invocations goes on after a start; `None` when it is done.
    unseen_from: Option<Lsn>,
    /// The last record folded at start. Attempts with a later lsn are offered when they start.
    unseen_until: Lsn,
    may_start: bool,
}

impl Owed {
    /// Whatever was running when the last record was applied is owed.
    pub(crate) fn after_recovery(applied: Lsn) -> Self {
        Self {
            attempts: BTreeSet::new(),
            unseen_from: Some(Lsn(0)),
            unseen_until: applied,
            may_start: true,
        }
    }

    /// Notes refusals, and whether the invoker has asked for attempts. It asks after it has refused, so
    /// when both came since the last turn, the wish is the later word.
    pub(crate) fn note(&mut self, refused: Vec<AttemptRef>, is_wanted: bool) {
        self.may_start &= refused.is_empty();
        self.may_start |= is_wanted;
        self.attempts.extend(refused);
    }

    /// Whether there may be something to offer now.
    pub(crate) fn may_start(&self) -> bool {
        self.may_start
    }

    /// The next starts to offer, at most so many; `None` when there is nothing to offer, or no room.
    /// It can be empty when what was owed has ended meanwhile and there is more to look at.
    pub(crate) fn take(&mut self, tables: &Tables<'_>, limit: usize) -> Option<Vec<Effect>> {
        if !std::mem::take(&mut self.may_start) {
            return None;
        }
        self.search(tables, limit);
        let mut starts = Vec::new();
        while starts.len() < limit
            && let Some(attempt) = self.attempts.pop_first()
        {
            starts.extend(obligations::start(tables, attempt));
        }
        self.may_start = !self.attempts.is_empty() || self.unseen_from.is_some();
        (self.may_start || !starts.is_empty()).then_some(starts)
    }

    /// Looks at the next running invocations, if there are too few attempts at hand.
    fn search(&mut self, tables: &Tables<'_>, limit: usize) {
        let Some(from) = self.unseen_from.filter(|_| self.attempts.len() < limit) else { return };
        let running = obligations::running(tables, from, limit);
        self.unseen_from = match running.last() {
            Some(last) if last.invocation < self.unseen_until => Some(Lsn(last.invocation.0 + 1)),
            Some(_) | None => None,
        };
        let until = self.unseen_until;
        // What started later has been offered when it did.
        self.attempts.extend(running.iter().filter(|name| name.attempt <= until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_that_comes_with_a_refusal_counts() {
        let attempt = AttemptRef { invocation: Lsn(1), attempt: Lsn(1) };
        let mut owed = Owed::after_recovery(Lsn(0));
        owed.note(vec![attempt], false);
        assert!(!owed.may_start(), "after a refusal nothing is offered until it is asked for");
        owed.note(Vec::new(), true);
        assert!(owed.may_start());
        owed.note(vec![attempt], true);
        assert!(owed.may_start(), "the invoker asks after it has refused");
    }
}
