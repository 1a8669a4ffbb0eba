//! Who waits, under which combinators, and what is on offer.

use std::collections::BTreeMap;

use protocol::{
    TerminalFailure,
    journal::{Combinator, NotificationId, NotificationResult, notification::SignalId},
};

use crate::vm::Handle;

/// A node of the tree of what a handler waits for; [`Place::ROOT`] is for what stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u32);

impl Place {
    /// Where a future waits that no combinator has spoken for: any result wakes the handler.
    pub const ROOT: Self = Self(0);
}

/// How a future waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Under which combinator.
    pub place: Place,
    /// Whether a cancellation passes it by.
    pub is_shielded: bool,
}

/// What a future that waited is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Its result.
    Result(NotificationResult),
    /// The invocation was cancelled while it waited.
    Cancelled(TerminalFailure),
}

/// The number of a poll in vain: of two waits, the greater is the newer.
pub(crate) type Poll = u64;

/// An offer, until a poll takes it or the next turn withdraws it.
#[derive(Debug)]
pub(crate) struct OnOffer {
    pub(crate) handle: Handle,
    pub(crate) offer: Offer,
    /// Where the result goes back to; `None` for a cancellation, which is lost on who has gone.
    pub(crate) origin: Option<(usize, NotificationId)>,
}

/// Who waits, and what is on offer.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    waits: BTreeMap<Handle, (Wait, Poll)>,
    polls: Poll,
    /// Which handles stand for a signal; a completion has one handle only.
    signals: BTreeMap<SignalId, Vec<Handle>>,
    /// The handle of each completion, in the order of their numbers.
    completions: Vec<Handle>,
    /// Combinators: the parent of each and how it decides. The root is not among them.
    nodes: Vec<(Place, Combinator)>,
    pub(crate) on_offer: Option<OnOffer>,
}

impl Waiting {
    /// A new handle and what it stands for.
    pub(crate) fn know(&mut self, handle: Handle, id: &NotificationId) {
        match id {
            NotificationId::Completion(_) => self.completions.push(handle),
            NotificationId::Signal(signal) => {
                self.signals.entry(signal.clone()).or_default().push(handle);
            }
        }
    }

    /// A new combinator.
    pub(crate) fn new_place(&mut self, parent: Place, combinator: Combinator) -> Place {
        self.nodes.push((parent, combinator));
        Place(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX))
    }

    /// A future was polled and there was nothing for it.
    pub(crate) fn wait(&mut self, handle: Handle, wait: Wait) {
        self.polls += 1;
        self.waits.insert(handle, (wait, self.polls));
    }

    /// A future waits no more; whether it did.
    pub(crate) fn stop(&mut self, handle: Handle) -> bool {
        self.waits.remove(&handle).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    pub(crate) fn contains(&self, handle: Handle) -> bool {
        self.waits.contains_key(&handle)
    }

    /// The first that waits, in the order of the handles.
    pub(crate) fn first(&self) -> Option<Handle> {
        self.waits.keys().next().copied()
    }

    /// The first handle, in the order of the handles, that waits for this.
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

    /// The number of the last poll in vain.
    pub(crate) fn polls(&self) -> Poll {
        self.polls
    }

    /// Whether it waits, and a cancellation reaches it.
    pub(crate) fn is_open(&self, handle: Handle) -> bool {
        self.waits.get(&handle).is_some_and(|(wait, _)| !wait.is_shielded)
    }

    /// Whether it waits, and a cancellation passes it by.
    pub(crate) fn is_shielded(&self, handle: Handle) -> bool {
        self.waits.get(&handle).is_some_and(|(wait, _)| wait.is_shielded)
    }

    /// Those that a cancellation reaches.
    pub(crate) fn open(&self) -> impl Iterator<Item = Handle> {
        self.open_since(0) // Polls are numbered from 1.
    }

    /// Those that a cancellation reaches and whose polls are newer than that one.
    pub(crate) fn open_since(&self, since: Poll) -> impl Iterator<Item = Handle> {
        let open =
            self.waits.iter().filter(move |(_, (wait, poll))| !wait.is_shielded && *poll > since);
        open.map(|(handle, _)| *handle)
    }

    /// Those that wait at a place itself.
    pub(crate) fn at(&self, place: Place) -> impl Iterator<Item = Handle> {
        let waits = self.waits.iter().filter(move |(_, (wait, _))| wait.place == place);
        waits.map(|(handle, _)| *handle)
    }

    /// The combinators right below a place.
    pub(crate) fn below(&self, place: Place) -> impl Iterator<Item = (Place, Combinator)> {
        let nodes = (1u32..).map(Place).zip(&self.nodes);
        let below = nodes.filter(move |(_, (parent, _))| *parent == place);
        below.map(|(node, (_, combinator))| (node, *combinator))
    }
}
