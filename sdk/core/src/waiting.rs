//! The handler's waits, the combinators they are under, and the current offer.

use std::collections::BTreeMap;

use protocol::{
    TerminalFailure,
    journal::{Combinator, NotificationId, NotificationResult, notification::SignalId},
};

use crate::vm::Handle;

/// A node of the tree the handler waits on; [`WaitNode::ROOT`] is for futures outside any combinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitNode(u32);

impl WaitNode {
    /// The node of futures that are under no combinator: any of their results wakes the handler.
    pub const ROOT: Self = Self(0);
}

/// How a future waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The node it waits under.
    pub node: WaitNode,
    /// Whether cancellations skip it.
    pub is_shielded: bool,
}

/// What a waiting future is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Its result.
    Result(NotificationResult),
    /// The invocation was cancelled while the future waited.
    Cancelled(TerminalFailure),
}

/// The number of a poll that stayed pending: of two waits, the one with the greater number is
/// newer.
pub(crate) type Poll = u64;

/// An offer that is open until a poll takes it or the next turn withdraws it.
#[derive(Debug)]
pub(crate) struct OnOffer {
    pub(crate) handle: Handle,
    pub(crate) offer: Offer,
    /// Where to put the result back; `None` for a cancellation, which is dropped if it is not
    /// taken.
    pub(crate) origin: Option<(usize, NotificationId)>,
}

/// The handler's waits, and the current offer.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    waits: BTreeMap<Handle, (Wait, Poll)>,
    polls: Poll,
    /// The handles of each signal; a completion has exactly one.
    signals: BTreeMap<SignalId, Vec<Handle>>,
    /// The handle of each completion, ordered by completion id.
    completions: Vec<Handle>,
    /// Combinators: the parent of each, and how it decides. Excludes the root.
    nodes: Vec<(WaitNode, Combinator)>,
    pub(crate) on_offer: Option<OnOffer>,
}

impl Waiting {
    /// Registers a new handle and the notification it is for.
    pub(crate) fn know(&mut self, handle: Handle, id: &NotificationId) {
        match id {
            NotificationId::Completion(_) => self.completions.push(handle),
            NotificationId::Signal(signal) => {
                self.signals.entry(signal.clone()).or_default().push(handle);
            }
        }
    }

    /// Adds a combinator node.
    pub(crate) fn new_wait_node(&mut self, parent: WaitNode, combinator: Combinator) -> WaitNode {
        self.nodes.push((parent, combinator));
        WaitNode(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX))
    }

    /// Registers the wait of a future that was polled and is pending.
    pub(crate) fn wait(&mut self, handle: Handle, wait: Wait) {
        self.polls += 1;
        self.waits.insert(handle, (wait, self.polls));
    }

    /// Unregisters a wait; returns whether the future was waiting.
    pub(crate) fn stop(&mut self, handle: Handle) -> bool {
        self.waits.remove(&handle).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    pub(crate) fn contains(&self, handle: Handle) -> bool {
        self.waits.contains_key(&handle)
    }

    /// The first waiting handle, in handle order.
    pub(crate) fn first(&self) -> Option<Handle> {
        self.waits.keys().next().copied()
    }

    /// The first handle, in handle order, that waits for this notification.
    pub(crate) fn waiter(&self, id: &NotificationId) -> Option<Handle> {
        let candidates = match id {
            NotificationId::Completion(number) => {
                let at = usize::try_from(*number).ok()?.checked_sub(1)?;
                std::slice::from_ref(self.completions.get(at)?)
            }
            NotificationId::Signal(signal) => self.signals.get(signal)?.as_slice(),
        };
        candidates.iter().copied().find(|handle| self.contains(*handle))
    }

    /// The number of the last poll that stayed pending.
    pub(crate) fn polls(&self) -> Poll {
        self.polls
    }

    /// Whether it waits and a cancellation reaches it.
    pub(crate) fn is_open(&self, handle: Handle) -> bool {
        self.waits.get(&handle).is_some_and(|(wait, _)| !wait.is_shielded)
    }

    /// Whether it waits and cancellations skip it.
    pub(crate) fn is_shielded(&self, handle: Handle) -> bool {
        self.waits.get(&handle).is_some_and(|(wait, _)| wait.is_shielded)
    }

    /// The waits that a cancellation reaches.
    pub(crate) fn open(&self) -> impl Iterator<Item = Handle> {
        self.open_since(0) // Polls are numbered from 1.
    }

    /// The waits that a cancellation reaches and whose polls are newer than `since`.
    pub(crate) fn open_since(&self, since: Poll) -> impl Iterator<Item = Handle> {
        let open =
            self.waits.iter().filter(move |(_, (wait, poll))| !wait.is_shielded && *poll > since);
        open.map(|(handle, _)| *handle)
    }

    /// The waits directly at a node.
    pub(crate) fn at(&self, node: WaitNode) -> impl Iterator<Item = Handle> {
        let waits = self.waits.iter().filter(move |(_, (wait, _))| wait.node == node);
        waits.map(|(handle, _)| *handle)
    }

    /// The combinators directly below a node.
    pub(crate) fn below(&self, node: WaitNode) -> impl Iterator<Item = (WaitNode, Combinator)> {
        let nodes = (1u32..).map(WaitNode).zip(&self.nodes);
        let below = nodes.filter(move |(_, (parent, _))| *parent == node);
        below.map(|(node, (_, combinator))| (node, *combinator))
    }
}
