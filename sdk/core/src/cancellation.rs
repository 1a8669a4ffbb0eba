//! How a cancellation propagates through an attempt: first to the callees, then to the handler's
//! waits.
//!
//! ```text
//!  None --signal--> TellingCallees --last callee--> Untaken --taken by a wait--> Taken --no waits left--> None
//!   ^ with no callees to notify, a signal leads straight to Untaken, also from Untaken
//! ```
//!
//! A cancellation is offered to the waits that were open when the signal arrived, one per turn, in
//! handle order. Until a poll takes it, it is also offered to waits that start later.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    vm::Handle,
    waiting::{Poll, Waiting},
};

/// The state of a cancellation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Cancellation {
    /// No cancellation is in progress.
    #[default]
    None,
    /// Callees remain to be notified; `callees` are the handles of their ids, which may not have
    /// arrived yet.
    TellingCallees {
        /// Never empty; in call order.
        callees: VecDeque<Handle>,
        /// Waits that were open when the signal arrived.
        waits: VecDeque<Handle>,
        /// The last poll before the signal arrived.
        since: Poll,
    },
    /// No wait has taken it yet.
    Untaken {
        /// Waits it has not been offered to.
        waits: VecDeque<Handle>,
        /// The last poll before the signal arrived.
        since: Poll,
    },
    /// A wait has taken it; the other waits that were open still get it too.
    Taken {
        /// Waits it has not been offered to.
        waits: VecDeque<Handle>,
    },
}

impl Cancellation {
    /// Handles the arrival of the cancel signal. It supersedes whatever is left of an earlier
    /// cancellation.
    pub(crate) fn begin(&mut self, callees: VecDeque<Handle>, waiting: &Waiting) {
        let waits = waiting.open().collect();
        let since = waiting.polls();
        *self = if callees.is_empty() {
            Self::Untaken { waits, since }
        } else {
            Self::TellingCallees { callees, waits, since }
        };
    }

    /// The handle of the next callee's id, if any remain to be notified.
    pub(crate) fn callee_to_tell(&self) -> Option<Handle> {
        match self {
            Self::TellingCallees { callees, .. } => callees.front().copied(),
            Self::None | Self::Untaken { .. } | Self::Taken { .. } => None,
        }
    }

    /// Records that the next callee has been notified.
    pub(crate) fn callee_told(&mut self) {
        if let Self::TellingCallees { callees, waits, since } = self {
            callees.pop_front();
            if callees.is_empty() {
                *self = Self::Untaken { waits: std::mem::take(waits), since: *since };
            }
        }
    }

    /// The next wait to offer the cancellation to.
    pub(crate) fn next_wait(&mut self, waiting: &Waiting) -> Option<Handle> {
        match self {
            Self::None | Self::TellingCallees { .. } => None,
            Self::Untaken { waits, since } => {
                if waits.is_empty() {
                    waits.extend(waiting.open_since(*since));
                }
                next_open(waits, waiting)
            }
            Self::Taken { waits } => {
                let next = next_open(waits, waiting);
                if next.is_none() {
                    *self = Self::None;
                }
                next
            }
        }
    }

    /// Records that a poll took the cancellation.
    pub(crate) fn taken(&mut self) {
        if let Self::Untaken { waits, .. } = self {
            *self = Self::Taken { waits: std::mem::take(waits) };
        }
    }
}

/// Pops the first handle that still waits and is not shielded.
fn next_open(waits: &mut VecDeque<Handle>, waiting: &Waiting) -> Option<Handle> {
    while let Some(handle) = waits.pop_front() {
        if waiting.is_open(handle) {
            return Some(handle);
        }
    }
    None
}

/// The calls that a cancellation propagates to.
#[derive(Debug, Default)]
pub(crate) struct Callees {
    calls: VecDeque<Call>,
    /// Ids of callees that the handler has already taken.
    taken_ids: BTreeMap<Handle, String>,
}

#[derive(Debug)]
struct Call {
    id: Handle,
    answer: Handle,
}

impl Callees {
    /// Adds a call, given the handles of its callee's id and of its result.
    pub(crate) fn add(&mut self, id: Handle, answer: Handle) {
        self.calls.push_back(Call { id, answer });
    }

    /// Records that the handler took the callee id behind this handle.
    pub(crate) fn id_taken(&mut self, handle: Handle, id: &str) {
        self.taken_ids.insert(handle, id.to_owned());
    }

    pub(crate) fn taken_id(&self, handle: Handle) -> Option<&str> {
        self.taken_ids.get(&handle).map(String::as_str)
    }

    /// Removes the calls that a cancellation reaches and returns the handles of their callee ids. A
    /// call whose result is awaited behind a shield is left alone, and so is its callee.
    pub(crate) fn take_open(&mut self, waiting: &Waiting) -> VecDeque<Handle> {
        let (shielded, open): (VecDeque<_>, VecDeque<_>) =
            self.calls.drain(..).partition(|call| waiting.is_shielded(call.answer));
        self.calls = shielded;
        open.into_iter().map(|call| call.id).collect()
    }
}

#[cfg(test)]
mod tests;
