//! What an invocation waits on: a tree of notifications, and when it is resolved.

use serde::{Deserialize, Serialize};

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

/// A node of the tree. V5 and V6 send one flat node that any notification resolves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaiting {
    /// How the node is decided.
    pub combinator: Combinator,
    /// Notifications waited for directly.
    pub leaves: Vec<NotificationId>,
    /// Nested nodes; siblings of the leaves.
    pub nested: Vec<Awaiting>,
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
}

impl Awaiting {
    /// The flat form of V5 and V6: any of `leaves` wakes the invocation.
    pub fn any_of(leaves: Vec<NotificationId>) -> Self {
        Self { combinator: Combinator::FirstCompleted, leaves, nested: Vec::new() }
    }

    /// Whether nothing at all is waited for: a protocol error in a suspension.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty() && self.nested.iter().all(Self::is_empty)
    }

    /// How many leaves and nodes there are.
    pub fn size(&self) -> usize {
        1 + self.leaves.len() + self.nested.iter().map(Self::size).sum::<usize>()
    }

    /// Every notification named anywhere in the tree, duplicates included.
    pub fn all_leaves(&self) -> Vec<&NotificationId> {
        let mut leaves: Vec<_> = self.leaves.iter().collect();
        self.nested.iter().for_each(|node| leaves.extend(node.all_leaves()));
        leaves
    }

    /// Whether the invocation should be woken, given what is known of each notification.
    ///
    /// Waking too often is harmless (the SDK replays and suspends again); waking too rarely hangs
    /// the invocation, so whatever only user code can decide counts as resolved.
    pub fn is_resolved(&self, outcome: &mut dyn FnMut(&NotificationId) -> Outcome) -> bool {
        self.evaluate(outcome) != Node::Pending
    }

    fn evaluate(&self, outcome: &mut dyn FnMut(&NotificationId) -> Outcome) -> Node {
        let mut children: Vec<Node> = Vec::with_capacity(self.leaves.len() + self.nested.len());
        for leaf in &self.leaves {
            children.push(match outcome(leaf) {
                Outcome::Pending => Node::Pending,
                Outcome::Success => Node::Success,
                Outcome::Failure => Node::Failure,
            });
        }
        for node in &self.nested {
            match node.evaluate(outcome) {
                // Nobody but user code can say what this branch means for its parents.
                Node::Wake => return Node::Wake,
                child @ (Node::Pending | Node::Success | Node::Failure) => children.push(child),
            }
        }
        self.combinator.decide(&children)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Pending,
    Success,
    Failure,
    /// Done, but only user code knows how: stop and wake the invocation.
    Wake,
}

impl Combinator {
    fn decide(self, children: &[Node]) -> Node {
        let any = |node: Node| children.contains(&node);
        let all_done = !children.is_empty() && !any(Node::Pending);
        match self {
            Self::Unknown if any(Node::Success) || any(Node::Failure) => Node::Wake,
            Self::Unknown => Node::Pending,
            // Which of several came first is for user code to say.
            Self::FirstCompleted => match (any(Node::Success), any(Node::Failure)) {
                (true, true) => Node::Wake,
                (true, false) => Node::Success,
                (false, true) => Node::Failure,
                (false, false) => Node::Pending,
            },
            Self::AllCompleted if all_done => Node::Success,
            Self::AllCompleted => Node::Pending,
            Self::FirstSucceededOrAllFailed if any(Node::Success) => Node::Success,
            Self::FirstSucceededOrAllFailed if all_done => Node::Failure,
            Self::FirstSucceededOrAllFailed => Node::Pending,
            Self::AllSucceededOrFirstFailed if any(Node::Failure) => Node::Failure,
            Self::AllSucceededOrFirstFailed if all_done => Node::Success,
            Self::AllSucceededOrFirstFailed => Node::Pending,
        }
    }
}
