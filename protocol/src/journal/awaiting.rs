//! What an invocation waits on: a tree of notifications, and when it is resolved.
//!
//! The tree is kept flat, in preorder, so that nothing here calls itself: its depth is chosen by
//! user code, and a stack is not.

use std::collections::BTreeMap;
use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
    ser::SerializeTuple,
};

use super::NotificationId;

/// How the children of a node decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Combinator {
    /// Only user code knows: any child that is done wakes the invocation.
    Unknown,
    /// Done with the first child that is done.
    FirstCompleted,
    /// Done when all children are.
    AllCompleted,
    /// Done with the first success, or when all failed.
    FirstSucceededOrAllFailed,
    /// Done with the first failure, or when all succeeded.
    AllSucceededOrFirstFailed,
}

/// A tree of what is waited for. V5 and V6 send one flat node that any notification resolves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// In preorder: a node, then its children's trees one after the other. Never empty.
    nodes: Vec<Node>,
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// How the node is decided.
    pub combinator: Combinator,
    /// Notifications waited for directly.
    pub leaves: Vec<NotificationId>,
    /// How many nodes are its children; siblings of the leaves.
    pub nested: usize,
}

/// What is known of one notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not arrived.
    Pending,
    /// Arrived with anything but a failure.
    Success,
    /// Arrived with a failure.
    Failure,
    /// Arrived more than once, with a failure and with something else: only user code can tell which
    /// of them it is about.
    Either,
}

impl Awaiting {
    /// A node over these children.
    pub fn node(
        combinator: Combinator,
        leaves: Vec<NotificationId>,
        nested: Vec<Awaiting>,
    ) -> Self {
        let mut nodes = vec![Node { combinator, leaves, nested: nested.len() }];
        nested.into_iter().for_each(|tree| nodes.extend(tree.nodes));
        Self { nodes }
    }

    /// The flat form of V5 and V6: any of `leaves` wakes the invocation.
    pub fn any_of(leaves: Vec<NotificationId>) -> Self {
        Self::node(Combinator::FirstCompleted, leaves, Vec::new())
    }

    /// The tree with these nodes in preorder.
    ///
    /// # Panics
    /// When they are not one whole tree: the caller has counted them.
    pub(crate) fn from_preorder(nodes: Vec<Node>) -> Self {
        let children: usize = nodes.iter().map(|node| node.nested).sum();
        assert!(children + 1 == nodes.len(), "{} nodes with {children} children", nodes.len());
        Self { nodes }
    }

    /// The nodes in preorder, the root first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Whether nothing at all is waited for: a protocol error in a suspension.
    pub fn is_empty(&self) -> bool {
        self.all_leaves().next().is_none()
    }

    /// How many leaves and nodes there are.
    pub fn size(&self) -> usize {
        self.nodes.iter().map(|node| 1 + node.leaves.len()).sum()
    }

    /// Every notification named anywhere in the tree, duplicates included.
    pub fn all_leaves(&self) -> impl Iterator<Item = &NotificationId> {
        self.nodes.iter().flat_map(|node| &node.leaves)
    }

    /// Whether the invocation should be woken, given what is known of each notification.
    ///
    /// Waking too often is harmless (the SDK replays and suspends again); waking too rarely hangs
    /// the invocation, so whatever only user code can decide counts as resolved.
    pub fn is_resolved(&self, outcome: &mut dyn FnMut(&NotificationId) -> Outcome) -> bool {
        let parents = self.parents();
        let mut tallies = vec![Tally::default(); self.nodes.len()];
        // Children stand behind their parents, so they are decided first.
        for (at, node) in self.nodes.iter().enumerate().rev() {
            node.leaves.iter().for_each(|leaf| tallies[at].add(State::from(outcome(leaf))));
            match (tallies[at].decide(node.combinator), parents[at]) {
                (State::Wake, _) => return true,
                (state, Some(parent)) => tallies[parent].add(state),
                (state, None) => return state != State::Pending,
            }
        }
        false
    }

    /// For each node, where its parent stands.
    fn parents(&self) -> Vec<Option<usize>> {
        let mut parents = Vec::with_capacity(self.nodes.len());
        // Nodes whose children are not all there yet, and how many are missing.
        let mut open: Vec<(usize, usize)> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            parents.push(open.last().map(|(parent, _)| *parent));
            if let Some((_, missing)) = open.last_mut() {
                *missing -= 1;
            }
            open.push((at, node.nested));
            while open.pop_if(|(_, missing)| *missing == 0).is_some() {}
        }
        parents
    }
}

/// What a node's children say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Success,
    Failure,
    /// Done, but only user code knows how: wake the invocation.
    Wake,
}

impl From<Outcome> for State {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pending => Self::Pending,
            Outcome::Success => Self::Success,
            Outcome::Failure => Self::Failure,
            Outcome::Either => Self::Wake,
        }
    }
}

/// How many children of a node are in which state.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    pending: usize,
    succeeded: usize,
    failed: usize,
    /// Nobody but user code can say what these mean for the node and those above it.
    unclear: usize,
}

impl Tally {
    fn of(&mut self, state: State) -> &mut usize {
        match state {
            State::Pending => &mut self.pending,
            State::Success => &mut self.succeeded,
            State::Failure => &mut self.failed,
            State::Wake => &mut self.unclear,
        }
    }

    fn add(&mut self, state: State) {
        *self.of(state) += 1;
    }

    fn change(&mut self, from: State, to: State) {
        *self.of(from) -= 1;
        *self.of(to) += 1;
    }

    fn decide(&self, combinator: Combinator) -> State {
        if self.unclear > 0 {
            return State::Wake;
        }
        let (any_succeeded, any_failed) = (self.succeeded > 0, self.failed > 0);
        let all_done = self.pending == 0 && (any_succeeded || any_failed);
        match combinator {
            Combinator::Unknown if any_succeeded || any_failed => State::Wake,
            Combinator::Unknown => State::Pending,
            // Which of several came first is for user code to say.
            Combinator::FirstCompleted => match (any_succeeded, any_failed) {
                (true, true) => State::Wake,
                (true, false) => State::Success,
                (false, true) => State::Failure,
                (false, false) => State::Pending,
            },
            Combinator::AllCompleted if all_done => State::Success,
            Combinator::AllCompleted => State::Pending,
            Combinator::FirstSucceededOrAllFailed if any_succeeded => State::Success,
            Combinator::FirstSucceededOrAllFailed if all_done => State::Failure,
            Combinator::FirstSucceededOrAllFailed => State::Pending,
            Combinator::AllSucceededOrFirstFailed if any_failed => State::Failure,
            Combinator::AllSucceededOrFirstFailed if all_done => State::Success,
            Combinator::AllSucceededOrFirstFailed => State::Pending,
        }
    }
}

/// A wait under way: the same question as [`Awaiting::is_resolved`], asked again after each
/// notification. All answers together take one pass over the tree, whatever its form, since a node
/// that is decided is only ever decided anew to wake the invocation.
#[derive(Debug, Clone)]
pub struct Evaluation {
    nodes: Vec<Counted>,
    /// For each notification: what is known of it, and the nodes that wait for it directly.
    leaves: BTreeMap<NotificationId, (State, Vec<usize>)>,
    /// Nodes looked at so far.
    visited: usize,
}

#[derive(Debug, Clone)]
struct Counted {
    combinator: Combinator,
    parent: Option<usize>,
    tally: Tally,
    state: State,
}

impl Evaluation {
    /// Begins with what is known of each notification; `None` when it is resolved already.
    pub fn begin(
        awaiting: &Awaiting,
        outcome: &mut dyn FnMut(&NotificationId) -> Outcome,
    ) -> Option<Self> {
        let mut leaves: BTreeMap<NotificationId, (State, Vec<usize>)> = BTreeMap::new();
        let mut nodes: Vec<Counted> = Vec::with_capacity(awaiting.nodes.len());
        for (node, parent) in awaiting.nodes.iter().zip(awaiting.parents()) {
            let (at, mut tally) = (nodes.len(), Tally::default());
            for leaf in &node.leaves {
                let known = leaves.entry(leaf.clone());
                let (state, places) =
                    known.or_insert_with_key(|leaf| (outcome(leaf).into(), Vec::new()));
                tally.add(*state);
                places.push(at);
            }
            let state = State::Pending;
            nodes.push(Counted { combinator: node.combinator, parent, tally, state });
        }
        let mut evaluation = Self { nodes, leaves, visited: 0 };
        for at in (0..evaluation.nodes.len()).rev() {
            evaluation.visited += 1;
            let node = &mut evaluation.nodes[at];
            node.state = node.tally.decide(node.combinator);
            let (state, parent) = (node.state, node.parent);
            match parent {
                _ if state == State::Wake => return None,
                Some(parent) => evaluation.nodes[parent].tally.add(state),
                None if state != State::Pending => return None,
                None => (),
            }
        }
        Some(evaluation)
    }

    /// What is now known of one notification; returns whether that resolves the tree. Once it has,
    /// there is nothing more to ask.
    pub fn learn(&mut self, id: &NotificationId, outcome: Outcome) -> bool {
        let Some((known, places)) = self.leaves.get_mut(id) else { return false };
        let (old, new) = (*known, State::from(outcome));
        if old == new {
            return false;
        }
        *known = new;
        for place in places.clone() {
            if self.change(place, old, new) {
                return true;
            }
        }
        false
    }

    /// How many different notifications are waited for.
    pub fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// Nodes looked at so far, for whoever counts the work.
    pub fn visited(&self) -> usize {
        self.visited
    }

    /// A child of `at` is in another state; returns whether the root is decided by that.
    fn change(&mut self, at: usize, old: State, new: State) -> bool {
        let mut changed = Some((at, old, new));
        while let Some((at, old, new)) = changed {
            self.visited += 1;
            let node = &mut self.nodes[at];
            node.tally.change(old, new);
            let (before, after) = (node.state, node.tally.decide(node.combinator));
            node.state = after;
            changed = match node.parent {
                _ if after == State::Wake => return true,
                None if after != State::Pending => return true,
                Some(parent) if before != after => Some((parent, before, after)),
                Some(_) | None => None,
            };
        }
        false
    }
}

/// The persisted form, that of a nested struct: combinator, leaves, how many children, and those in
/// turn. In a format without names a flat tuple has the same bytes.
impl Serialize for Awaiting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(3 * self.nodes.len())?;
        for Node { combinator, leaves, nested } in &self.nodes {
            tuple.serialize_element(combinator)?;
            tuple.serialize_element(leaves)?;
            tuple.serialize_element(nested)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Awaiting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // How many nodes there are is only known at their end.
        deserializer.deserialize_tuple(usize::MAX, Preorder)
    }
}

struct Preorder;

impl<'de> Visitor<'de> for Preorder {
    type Value = Awaiting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the nodes of an await tree in preorder")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Awaiting, A::Error> {
        let too_short = || A::Error::custom("the await tree ends before its last node");
        let (mut nodes, mut missing) = (Vec::new(), 1_usize);
        while missing > 0 {
            let combinator = elements.next_element()?.ok_or_else(too_short)?;
            let leaves = elements.next_element()?.ok_or_else(too_short)?;
            let nested: usize = elements.next_element()?.ok_or_else(too_short)?;
            nodes.push(Node { combinator, leaves, nested });
            // More than there are bytes can't follow: the loop ends where they do.
            missing = (missing - 1).saturating_add(nested);
        }
        Ok(Awaiting { nodes })
    }
}
