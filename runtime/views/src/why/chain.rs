//! A chain of what waits for what. It says which subject it has to know about next, and is told
//! the facts.
//!
//! Subjects are asked about in the order of their distance, so that a bound leaves out what is
//! farthest away; each once, so that a chain ends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    AttemptState, Cause, Facts, Kind, Link, Need, Subject, Verdict,
    cycle::{self, Cycle},
    verdict,
    words::{self, Draft, Surroundings},
};

/// How many links a chain has at most.
pub const LINKS_MAX: usize = 64;

/// A chain that is being followed.
#[derive(Debug)]
pub struct Chain {
    around: Surroundings,
    links_max: usize,
    /// In the order in which they were found; positions are those of this list, from 0.
    links: Vec<Link>,
    /// The subjects to ask about, each with the link that leads to it.
    ahead: VecDeque<(Subject, Option<usize>)>,
    /// The subjects that are known or will be, with their first link.
    known: BTreeMap<Subject, Option<usize>>,
    omitted: usize,
}

/// Why something does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Each link after the one that leads to it, the first one of what was asked about.
    pub links: Vec<Link>,
    /// How many links and subjects have been left out, since there would have been too many.
    pub omitted: usize,
    /// Whether it goes on by itself.
    pub verdict: Verdict,
}

impl Chain {
    /// A chain that begins with a subject, and has up to `links_max` links.
    pub fn about(subject: Subject, around: Surroundings, links_max: usize) -> Self {
        Self {
            around,
            links_max,
            links: Vec::new(),
            known: BTreeMap::from([(subject.clone(), None)]),
            ahead: VecDeque::from([(subject, None)]),
            omitted: 0,
        }
    }

    /// The subject that it has to know about next; `None` when it has ended.
    pub fn next(&self) -> Option<&Subject> {
        let (subject, _) = self.ahead.front()?;
        (self.links.len() < self.links_max).then_some(subject)
    }

    /// Takes what is known of that subject. If its rows call an attempt running, `attempt` is what
    /// has become of that one, as far as it is known.
    pub fn learn(&mut self, facts: &Facts, attempt: Option<AttemptState>) {
        let Some((subject, parent)) = self.ahead.pop_front() else { return };
        let since = match facts {
            Facts::Invocation(invocation) => Some(invocation.since),
            Facts::Absent | Facts::Key(_) => None,
        };
        let (target, status) = words::head(facts);
        self.known.insert(subject.clone(), Some(self.links.len()));
        for draft in words::drafts(&self.around, &subject, facts, attempt) {
            if self.links.len() == self.links_max {
                self.omitted += 1;
                continue;
            }
            let Draft { kind, need, since: own, until, detail, waits_for, advice } = draft;
            let is_end = waits_for.is_none() && kind != Kind::More;
            let cause = is_end.then(|| Cause { kind, message: detail.clone() });
            let depth = parent.map_or(0, |parent| self.links[parent].depth + 1);
            let position = self.links.len();
            self.links.push(Link {
                position,
                parent,
                depth,
                subject: subject.clone(),
                target: target.clone(),
                status,
                kind,
                need,
                since: own.or(since),
                until,
                detail,
                waits_for: waits_for.clone(),
                same_as: None,
                cause,
                advice,
            });
            if let Some(next) = waits_for {
                self.lead_to(next, position);
            }
        }
    }

    /// What has been found.
    pub fn ended(mut self) -> Why {
        let followed: BTreeSet<usize> = self.links.iter().filter_map(|link| link.parent).collect();
        for link in &mut self.links {
            let elsewhere = link.waits_for.as_ref().filter(|_| !followed.contains(&link.position));
            link.same_as = elsewhere.and_then(|subject| *self.known.get(subject)?);
        }
        let links = in_order(self.links);
        let verdict = verdict::of(&links);
        Why { links, omitted: self.omitted + self.ahead.len(), verdict }
    }

    /// The link at `position` leads to a subject.
    fn lead_to(&mut self, next: Subject, position: usize) {
        if !self.known.contains_key(&next) {
            self.known.insert(next.clone(), None);
            self.ahead.push_back((next, Some(position)));
            return;
        }
        if let Some(Cycle { cause, advice }) = cycle::of(&self.links, position) {
            self.links[position].cause = Some(cause);
            self.links[position].advice = advice;
        }
    }
}

/// The links, each after the one that leads to it, with positions from 1.
fn in_order(links: Vec<Link>) -> Vec<Link> {
    let mut order = Vec::with_capacity(links.len());
    let children = |parent: Option<usize>| {
        links.iter().filter(move |link| link.parent == parent).map(|link| link.position)
    };
    let mut stack: Vec<usize> = children(None).collect();
    stack.reverse();
    while let Some(position) = stack.pop() {
        order.push(position);
        let mut next: Vec<usize> = children(Some(position)).collect();
        next.reverse();
        stack.extend(next);
    }
    let mut place = vec![0; links.len()];
    for (at, position) in order.iter().enumerate() {
        place[*position] = at + 1;
    }
    let mut links: Vec<Link> = links
        .into_iter()
        .map(|link| Link {
            position: place[link.position],
            parent: link.parent.map(|parent| place[parent]),
            same_as: link.same_as.map(|same| place[same]),
            ..link
        })
        .collect();
    links.sort_unstable_by_key(|link| link.position);
    links
}

impl Link {
    /// Whether its subject cannot go on without it.
    pub(super) fn is_required(&self) -> bool {
        self.need == Need::Required
    }
}
