//! Attempts that should be running but have not been offered yet, or were refused: offered, oldest
//! first, when the invoker has capacity for them. Attempts that wait for different capacity wait
//! separately, so that one service whose permits are all taken does not block the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runtime_core::{
    Lsn,
    effect::Effect,
    model::{ids::AttemptRef, invocation::Invocation},
    obligations,
    tables::Tables,
};

use super::{Driver, Settings};
use crate::edges::Full;

/// Attempts that the invoker still has to start.
#[derive(Debug)]
pub(super) struct RefusedStarts {
    /// Refused attempts, by the capacity that was exhausted.
    refused: BTreeMap<Full, Waiting>,
    /// Attempts that have not been offered yet: those found running at start, and those with a
    /// large journal.
    found: BTreeSet<AttemptRef>,
    /// Where the search for running invocations continues after a start; `None` when it is done.
    unseen_from: Option<Lsn>,
    /// The last record folded at start. Attempts with a later LSN are offered when they start.
    unseen_until: Lsn,
}

/// What a turn offers.
#[derive(Debug)]
pub(super) struct StartsToRetry {
    /// The effects that start the attempts.
    pub(super) starts: Vec<Effect>,
    /// Bytes of their journals and state.
    pub(super) bytes: usize,
    /// Capacities that more attempts wait for than the invoker asked for: it has to announce more.
    pub(super) more_wait: BTreeSet<Full>,
}

/// Attempts that wait for the same capacity.
#[derive(Debug, Default)]
struct Waiting {
    attempts: BTreeSet<AttemptRef>,
    /// How many of them the invoker has asked for.
    wanted: usize,
}

impl RefusedStarts {
    /// Everything that was running when the last record was applied still has to be offered.
    pub(super) fn after_recovery(applied: Lsn) -> Self {
        Self {
            refused: BTreeMap::new(),
            found: BTreeSet::new(),
            unseen_from: Some(Lsn(0)),
            unseen_until: applied,
        }
    }

    /// Notes refusals, and for how many attempts the invoker has capacity. The invoker asks for
    /// attempts after it has refused some, so if both have arrived since the last turn, the request
    /// is the later message.
    pub(super) fn note(&mut self, refused: Vec<(AttemptRef, Full)>, wanted: BTreeMap<Full, usize>) {
        for (attempt, full) in refused {
            let waiting = self.refused.entry(full).or_default();
            waiting.attempts.insert(attempt);
            waiting.wanted = 0;
        }
        for (full, count) in wanted {
            // No attempt waits for this capacity here any more, or none ever did.
            if let Some(waiting) = self.refused.get_mut(&full) {
                waiting.wanted = count;
            }
        }
    }

    /// Notes an attempt that has to be offered.
    pub(super) fn found(&mut self, attempt: AttemptRef) {
        self.found.insert(attempt);
    }

    /// Whether there may be something to offer now.
    pub(super) fn may_start(&self) -> bool {
        self.refused.values().any(|waiting| waiting.wanted > 0) || self.may_search()
    }

    /// Whether attempts found at start can be offered: not while the invoker has no permit at all.
    fn may_search(&self) -> bool {
        let is_left = !self.found.is_empty() || self.unseen_from.is_some();
        is_left && self.refused.get(&Full::All).is_none_or(|waiting| waiting.wanted > 0)
    }

    /// The next starts to offer, up to `limit` or, if these are reached first, `bytes_max`; `None`
    /// if there is nothing to offer, or no capacity. Can be empty if attempts have ended meanwhile
    /// and the search has to continue, or if `may_start` refuses them.
    pub(super) fn take(
        &mut self,
        tables: &Tables<'_>,
        limit: usize,
        bytes_max: usize,
        may_start: impl Fn(&Invocation) -> Result<(), Full>,
    ) -> Option<StartsToRetry> {
        if !self.may_start() {
            return None;
        }
        let mut offer = Offer { tables, may_start, bytes_max, starts: Vec::new(), bytes: 0 };
        let (mut more_wait, mut refused) = (BTreeSet::new(), Vec::new());
        let asked = self.refused.values().filter(|waiting| waiting.wanted > 0).count();
        // Each capacity that was asked for gets its part of the turn.
        let part = (limit / (asked + 1)).max(1);
        for (full, waiting) in self.refused.iter_mut().filter(|(_, waiting)| waiting.wanted > 0) {
            for _ in 0..part {
                if waiting.wanted == 0 || offer.is_full() {
                    break;
                }
                let Some(attempt) = waiting.attempts.pop_first() else { break };
                match offer.add(attempt) {
                    Ok(is_current) => waiting.wanted -= usize::from(is_current),
                    Err(full) => refused.push((attempt, full)),
                }
            }
            if waiting.wanted == 0 && !waiting.attempts.is_empty() {
                more_wait.insert(*full);
            }
        }
        if self.may_search() {
            self.search(tables, limit);
            for _ in 0..part {
                if offer.is_full() {
                    break;
                }
                let Some(attempt) = self.found.pop_first() else { break };
                if let Err(full) = offer.add(attempt) {
                    refused.push((attempt, full));
                }
            }
        }
        more_wait.extend(refused.iter().map(|(_, full)| *full));
        self.note(refused, BTreeMap::new());
        self.refused.retain(|_, waiting| !waiting.attempts.is_empty());
        let Offer { starts, bytes, .. } = offer;
        assert!(
            starts.len() <= part * (asked + 1),
            "{} attempts are offered in a turn that offers at most {part} for each of {} capacities",
            starts.len(),
            asked + 1
        );
        Some(StartsToRetry { starts, bytes, more_wait })
    }

    /// Searches the next running invocations if there are too few attempts at hand.
    fn search(&mut self, tables: &Tables<'_>, limit: usize) {
        let Some(from) = self.unseen_from.filter(|_| self.found.len() < limit) else { return };
        let running = obligations::running(tables, from, limit);
        self.unseen_from = match running.last() {
            Some(last) if last.invocation < self.unseen_until => Some(Lsn(last.invocation.0 + 1)),
            Some(_) | None => None,
        };
        assert!(
            self.unseen_from.is_none_or(|next| next > from),
            "the search for running invocations from {} on continues from {:?}: it would not end",
            from.0,
            self.unseen_from
        );
        let until = self.unseen_until;
        // Attempts that started later were offered when they did.
        self.found.extend(running.iter().filter(|name| name.attempt <= until));
    }
}

/// The starts of a turn while they are collected.
struct Offer<'t, M> {
    tables: &'t Tables<'t>,
    may_start: M,
    bytes_max: usize,
    starts: Vec<Effect>,
    bytes: usize,
}

impl<M: Fn(&Invocation) -> Result<(), Full>> Offer<'_, M> {
    fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max
    }

    /// Adds an attempt; returns whether it is still the current one of its invocation.
    ///
    /// # Errors
    /// Returns the capacity that it would be refused for.
    fn add(&mut self, attempt: AttemptRef) -> Result<bool, Full> {
        let Some(invocation) = obligations::invocation(self.tables, attempt) else {
            return Ok(false);
        };
        (self.may_start)(&invocation)?;
        let start = obligations::start_of(self.tables, attempt.invocation, *invocation);
        self.bytes += start.bytes();
        self.starts.push(start);
        Ok(true)
    }
}

impl Driver {
    /// Offers outstanding attempts while the invoker has capacity.
    pub(super) fn offer_refused_starts(&mut self) -> bool {
        let tables = Tables::new(&mut self.live, self.store.base());
        let Settings { starts_max, added_bytes_max, .. } = self.settings;
        let may_start = |invocation: &Invocation| {
            let bytes = usize::try_from(invocation.journal_bytes).unwrap_or(usize::MAX);
            self.dispatch.edges.may_start(&invocation.target.service, invocation.pin, bytes)
        };
        let offer = self.refused_starts.take(&tables, starts_max, added_bytes_max, may_start);
        let Some(StartsToRetry { starts, bytes, more_wait }) = offer else { return false };
        if !starts.is_empty() || !more_wait.is_empty() {
            let dispatch = Arc::clone(&self.dispatch);
            self.after_durable(bytes, move || {
                dispatch.dispatch(starts, None);
                more_wait.into_iter().for_each(|full| dispatch.edges.attempt_refused(full));
            });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use protocol::DeploymentId;

    use super::*;

    fn attempt(number: u64) -> AttemptRef {
        AttemptRef { invocation: Lsn(number), attempt: Lsn(number) }
    }

    fn refused_starts() -> RefusedStarts {
        RefusedStarts { unseen_from: None, ..RefusedStarts::after_recovery(Lsn(0)) }
    }

    #[test]
    fn a_wish_that_comes_with_a_refusal_counts() {
        let mut refused_starts = refused_starts();
        refused_starts.note(vec![(attempt(1), Full::All)], BTreeMap::new());
        assert!(
            !refused_starts.may_start(),
            "after a refusal nothing is offered until it is asked for"
        );
        refused_starts.note(Vec::new(), BTreeMap::from([(Full::All, 1)]));
        assert!(refused_starts.may_start());
        refused_starts.note(vec![(attempt(1), Full::All)], BTreeMap::from([(Full::All, 1)]));
        assert!(refused_starts.may_start(), "the invoker asks after it has refused");
        refused_starts.note(vec![(attempt(2), Full::All)], BTreeMap::new());
        assert!(!refused_starts.may_start(), "a refusal says that there is no room any more");
    }

    #[test]
    fn a_wish_is_for_those_who_wait_for_that_room() {
        let mut refused_starts = refused_starts();
        let (one, other) = (Full::Deployment(DeploymentId(1)), Full::Deployment(DeploymentId(2)));
        refused_starts.note(vec![(attempt(1), one), (attempt(2), other)], BTreeMap::new());
        refused_starts.note(
            Vec::new(),
            BTreeMap::from([(Full::All, 9), (Full::Deployment(DeploymentId(3)), 9)]),
        );
        assert!(!refused_starts.may_start(), "nobody waits for that");
        refused_starts.note(Vec::new(), BTreeMap::from([(other, 1)]));
        assert!(refused_starts.may_start());
        assert_eq!(
            (refused_starts.refused[&one].wanted, refused_starts.refused[&other].wanted),
            (0, 1)
        );
    }

    #[test]
    fn what_was_found_at_the_start_waits_only_while_there_is_no_place_at_all() {
        let mut refused_starts = RefusedStarts::after_recovery(Lsn(9));
        assert!(refused_starts.may_start());
        refused_starts.note(vec![(attempt(1), Full::Deployment(DeploymentId(1)))], BTreeMap::new());
        assert!(refused_starts.may_start(), "others may have room");
        refused_starts.note(vec![(attempt(2), Full::All)], BTreeMap::new());
        assert!(!refused_starts.may_start());
        refused_starts.note(Vec::new(), BTreeMap::from([(Full::All, 1)]));
        assert!(refused_starts.may_start());
    }
}
