//! What an invocation waits for: a tree of notifications, and the rule that decides when it is
//! resolved.
//!
//! The tree is stored flat, in preorder, so that nothing here recurses: user code chooses the
//! depth, and the stack is limited.

use std::collections::BTreeMap;
use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
    ser::SerializeTuple,
};

use super::NotificationId;

/// How the children of a node determine its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Combinator {
    /// Only user code knows: any child that completes wakes the invocation.
    Unknown,
    /// Done when the first child completes.
    FirstCompleted,
    /// Done when all children have completed.
    AllCompleted,
    /// Done at the first success, or when all have failed.
    FirstSucceededOrAllFailed,
    /// Done at the first failure, or when all have succeeded.
    AllSucceededOrFirstFailed,
}

/// The tree of notifications waited for. V5 and V6 send a single flat node that any notification
/// resolves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// In preorder: each node is followed by the subtrees of its children. Never empty.
    nodes: Vec<Node>,
}

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// How the node is decided.
    pub combinator: Combinator,
    /// Notifications waited for directly.
    pub leaves: Vec<NotificationId>,
    /// How many child nodes it has, in addition to the leaves.
    pub nested: usize,
}

/// What is known about a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has not arrived.
    Pending,
    /// It arrived with anything but a failure.
    Success,
    /// It arrived with a failure.
    Failure,
    /// It arrived more than once, with a failure and with something else: only user code can tell
    /// which of them it waits for.
    Either,
}

impl Awaiting {
    /// A node with these leaves and subtrees.
    pub fn node(
        combinator: Combinator,
        leaves: Vec<NotificationId>,
        nested: Vec<Awaiting>,
    ) -> Self {
        let mut nodes = vec![Node { combinator, leaves, nested: nested.len() }];
        nested.into_iter().for_each(|tree| nodes.extend(tree.nodes));
        Self { nodes }
    }

    /// The flat form of V5 and V6: any of the `leaves` wakes the invocation.
    pub fn any_of(leaves: Vec<NotificationId>) -> Self {
        Self::node(Combinator::FirstCompleted, leaves, Vec::new())
    }

    /// Builds a tree from its nodes in preorder.
    ///
    /// # Panics
    /// Panics if they are not exactly one complete tree; the caller has counted them.
    pub(crate) fn from_preorder(nodes: Vec<Node>) -> Self {
        let children: usize = nodes.iter().map(|node| node.nested).sum();
        assert!(children + 1 == nodes.len(), "{} nodes with {children} children", nodes.len());
        Self { nodes }
    }

    /// The nodes in preorder, the root first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Whether the tree has no leaves, which is a protocol error in a suspension.
    pub fn is_empty(&self) -> bool {
        self.all_leaves().next().is_none()
    }

    /// The number of leaves and nodes.
    pub fn size(&self) -> usize {
        self.nodes.iter().map(|node| 1 + node.leaves.len()).sum()
    }

    /// Every notification anywhere in the tree, including duplicates.
    pub fn all_leaves(&self) -> impl Iterator<Item = &NotificationId> {
        self.nodes.iter().flat_map(|node| &node.leaves)
    }

    /// Whether to wake the invocation, given what is known about each notification.
    ///
    /// Waking too often is harmless (the SDK replays and suspends again), but waking too rarely
    /// hangs the invocation, so anything that only user code can decide counts as resolved.
    pub fn is_resolved(&self, outcome: &mut dyn FnMut(&NotificationId) -> Outcome) -> bool {
        let parents = self.parents();
        let mut tallies = vec![Tally::default(); self.nodes.len()];
        // Children come after their parents, so in reverse order they are decided first.
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

    /// For each node, the index of its parent.
    fn parents(&self) -> Vec<Option<usize>> {
        let mut parents = Vec::with_capacity(self.nodes.len());
        // Nodes with children still to come, and how many of them.
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

/// The state of a node or leaf, as it contributes to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Success,
    Failure,
    /// Done, but only user code can tell how: wake the invocation.
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

/// How many children of a node are in each state.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    pending: usize,
    succeeded: usize,
    failed: usize,
    /// Only user code can tell what these mean for the node and its ancestors.
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
            // Only user code can tell which of several came first.
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

/// An incremental [`Awaiting::is_resolved`], updated after each notification. All updates together
/// cost one pass over the tree, whatever its shape, since a decided node only ever changes again in
/// order to wake the invocation.
#[derive(Debug, Clone)]
pub struct Evaluation {
    nodes: Vec<Counted>,
    /// For each notification: its state, and the nodes that wait for it directly.
    leaves: BTreeMap<NotificationId, (State, Vec<usize>)>,
    /// Number of nodes visited so far.
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
    /// Starts from what is known about each notification; `None` if the tree is already resolved.
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

    /// Updates what is known about one notification and returns whether that resolves the tree.
    /// Must not be called again once it has.
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

    /// How many distinct notifications are waited for.
    pub fn leaves(&self) -> usize {
        self.leaves.len()
    }

    /// Number of nodes visited so far, as a measure of the work done.
    pub fn visited(&self) -> usize {
        self.visited
    }

    /// Propagates a state change of a child of `at`; returns whether it decides the root.
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

/// The persisted form is that of nested structs: combinator, leaves, number of children, then each
/// child in turn. In a format without field names a flat tuple has the same bytes.
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
        // The number of nodes is only known at the end.
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
            // A count beyond the remaining bytes can't be satisfied: the loop ends when they run
            // out.
            missing = (missing - 1).saturating_add(nested);
        }
        Ok(Awaiting { nodes })
    }
}
