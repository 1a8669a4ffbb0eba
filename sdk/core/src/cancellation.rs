//! How a cancellation goes through an attempt: the callees hear of it first, then the handler's waits.
//!
//! ```text
//!  None --signal--> TellingCallees --last one told--> Untaken --a wait takes it--> Taken --no wait left--> None
//!   ^ a signal that has no callee to tell leads to Untaken, from there as well
//! ```
//!
//! It comes out at waits that were open when the signal came, one a turn, in the order of the handles.
//! While no poll has taken it, it is for the first wait that is newer.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    vm::Handle,
    waiting::{Poll, Waiting},
};

/// How far a cancellation has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Cancellation {
    /// None is under way.
    #[default]
    None,
    /// Callees are to be told; these are the handles of their ids, which may not have arrived.
    TellingCallees {
        /// Never empty, in the order of the calls.
        callees: VecDeque<Handle>,
        /// What was open when the signal came.
        waits: VecDeque<Handle>,
        /// The last poll before the signal came.
        since: Poll,
    },
    /// Nobody has taken it yet.
    Untaken {
        /// Those it has not been offered to.
        waits: VecDeque<Handle>,
        /// The last poll before the signal came.
        since: Poll,
    },
    /// Somebody has taken it; what else was open hears of it too.
    Taken {
        /// Those it has not been offered to.
        waits: VecDeque<Handle>,
    },
}

impl Cancellation {
    /// The cancel signal has come. What is left of an earlier cancellation is part of this one.
    pub(crate) fn begin(&mut self, callees: VecDeque<Handle>, waiting: &Waiting) {
        let waits = waiting.open().collect();
        let since = waiting.polls();
        *self = if callees.is_empty() {
            Self::Untaken { waits, since }
        } else {
            Self::TellingCallees { callees, waits, since }
        };
    }

    /// The handle of the id of the next callee to tell.
    pub(crate) fn callee_to_tell(&self) -> Option<Handle> {
        match self {
            Self::TellingCallees { callees, .. } => callees.front().copied(),
            Self::None | Self::Untaken { .. } | Self::Taken { .. } => None,
        }
    }

    /// The next callee has been told.
    pub(crate) fn callee_told(&mut self) {
        if let Self::TellingCallees { callees, waits, since } = self {
            callees.pop_front();
            if callees.is_empty() {
                *self = Self::Untaken { waits: std::mem::take(waits), since: *since };
            }
        }
    }

    /// The next wait that it is to be offered to.
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

    /// A poll has taken it.
    pub(crate) fn taken(&mut self) {
        if let Self::Untaken { waits, .. } = self {
            *self = Self::Taken { waits: std::mem::take(waits) };
        }
    }
}

/// Takes the first that still waits and is not shielded by now.
fn next_open(waits: &mut VecDeque<Handle>, waiting: &Waiting) -> Option<Handle> {
    while let Some(handle) = waits.pop_front() {
        if waiting.is_open(handle) {
            return Some(handle);
        }
    }
    None
}

/// The calls that a cancellation passes on to.
#[derive(Debug, Default)]
pub(crate) struct Callees {
    calls: VecDeque<Call>,
    /// Ids of callees that the handler has taken already.
    taken_ids: BTreeMap<Handle, String>,
}

#[derive(Debug)]
struct Call {
    id: Handle,
    answer: Handle,
}

impl Callees {
    /// A call, by the handles of its callee's id and of its answer.
    pub(crate) fn add(&mut self, id: Handle, answer: Handle) {
        self.calls.push_back(Call { id, answer });
    }

    /// The handler has taken the id that this handle stands for.
    pub(crate) fn id_taken(&mut self, handle: Handle, id: &str) {
        self.taken_ids.insert(handle, id.to_owned());
    }

    pub(crate) fn taken_id(&self, handle: Handle) -> Option<&str> {
        self.taken_ids.get(&handle).map(String::as_str)
    }

    /// Takes the calls that a cancellation reaches, as the handles of the ids. One whose answer is
    /// awaited behind a shield is left alone, and so is its callee.
    pub(crate) fn take_open(&mut self, waiting: &Waiting) -> VecDeque<Handle> {
        let (shielded, open): (VecDeque<_>, VecDeque<_>) =
            self.calls.drain(..).partition(|call| waiting.is_shielded(call.answer));
        self.calls = shielded;
        open.into_iter().map(|call| call.id).collect()
    }
}

#[cfg(test)]
mod tests;
