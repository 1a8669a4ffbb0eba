//! Caches kept next to the rows of an overlay, purely for speed: everything here can be dropped at
//! any time and is recomputed from the rows.

use std::collections::BTreeMap;

use protocol::journal::awaiting::Evaluation;

use super::key::{Key, Table};
use crate::model::ids::Lsn;

/// How many leaves of await trees are cached. When the limit is exceeded, all are dropped, and
/// their rows have to be read again; a leaf takes about two hundred bytes.
const WAIT_LEAVES_MAX: usize = 1 << 18;

/// Longer than the rest of any queue's key, so that it sorts after all of them once appended to the
/// prefix.
const BEHIND_ALL: [u8; 24] = [0xff; 24];

/// Cached facts about the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Hints {
    /// For queues, by prefix: no row exists before this key. Queues are consumed from the front,
    /// and a deleted row that still exists in lower layers has to be skipped until the next
    /// checkpoint.
    floors: BTreeMap<Key, Key>,
    /// The state of wide waits, by invocation.
    waits: BTreeMap<Lsn, Evaluation>,
    wait_leaves: usize,
}

/// Hints hold no information beyond the rows, so they never make two overlays differ.
impl PartialEq for Hints {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Hints {}

impl Hints {
    /// The first key where a row of the queue can be.
    pub(super) fn floor(&self, prefix: &Key) -> Key {
        self.floors.get(prefix).unwrap_or(prefix).clone()
    }

    /// Records the result of a search for the first row of a queue.
    pub(super) fn raise_floor(&mut self, prefix: Key, first: Option<Key>) {
        let first = first.unwrap_or_else(|| {
            let mut behind = prefix.clone();
            behind.extend_from_slice(&BEHIND_ALL);
            behind
        });
        self.floors.insert(prefix, first);
    }

    /// Lowers the floor of a queue if a row is written before it.
    pub(super) fn written(&mut self, key: &Key) {
        let Some(prefix) = queue_of(key) else { return };
        if let Some(floor) = self.floors.get_mut(prefix)
            && key < floor
        {
            *floor = key.clone();
        }
    }

    pub(super) fn wait_mut(&mut self, invocation: Lsn) -> Option<&mut Evaluation> {
        self.waits.get_mut(&invocation)
    }

    pub(super) fn remember_wait(&mut self, invocation: Lsn, wait: Evaluation) {
        if self.wait_leaves + wait.leaves() > WAIT_LEAVES_MAX {
            self.waits.clear();
            self.wait_leaves = 0;
        }
        self.forget_wait(invocation);
        self.wait_leaves += wait.leaves();
        self.waits.insert(invocation, wait);
    }

    pub(super) fn forget_wait(&mut self, invocation: Lsn) {
        if let Some(wait) = self.waits.remove(&invocation) {
            let (leaves, all) = (wait.leaves(), self.wait_leaves);
            assert!(
                leaves <= all,
                "{invocation:?} waits for {leaves} leaves, but only {all} are cached in total"
            );
            self.wait_leaves -= leaves;
        }
    }
}

/// Whether a queue whose floor is `floor` is known to be empty.
pub(super) fn is_behind_all(floor: &[u8], prefix: &[u8]) -> bool {
    floor.strip_prefix(prefix) == Some(&BEHIND_ALL)
}

/// The prefix of the queue that a key is in.
fn queue_of(key: &[u8]) -> Option<&[u8]> {
    const TIMER: u8 = Table::Timer as u8;
    const EXPIRY: u8 = Table::Expiry as u8;
    const EARLY: u8 = Table::Early as u8;
    const OUTBOX: u8 = Table::Outbox as u8;
    const WAITING_EDIT: u8 = Table::WaitingEdit as u8;
    match *key.first()? {
        TIMER | EXPIRY | EARLY | WAITING_EDIT => key.get(..1),
        OUTBOX => key.get(..3), // One queue per receiver.
        _ => None,
    }
}
