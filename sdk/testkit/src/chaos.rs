//! What can go wrong, as a plan.

use std::collections::{BTreeMap, BTreeSet};

/// Which faults happen, and when. All of them are faults that the runtime promises to survive.
#[derive(Debug, Clone, Default)]
pub struct Chaos {
    /// Break every attempt off as soon as it has got one step further.
    pub(crate) cut_always: bool,
    /// Break an attempt off when its invocation has so many commands.
    pub(crate) cut_after: BTreeSet<u32>,
    /// Break the n-th attempt of all before it has said anything; the first is 1.
    pub(crate) failing_attempts: BTreeSet<u64>,
    /// Crash the runtime instead of its n-th commit of the log; the first is 1.
    pub(crate) crashes: BTreeSet<u64>,
    /// Suspend at every wait, instead of holding the connection for a while.
    pub(crate) suspend_always: bool,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) attempts: u64,
    pub(crate) commits: u64,
    /// The cuts of each invocation.
    pub(crate) cuts: BTreeMap<String, BTreeSet<u32>>,
}
