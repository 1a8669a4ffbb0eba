//! The faults to inject, as a plan.

use std::collections::{BTreeMap, BTreeSet};

/// Which faults to inject, and when. The runtime promises to survive all of them.
#[derive(Debug, Clone, Default)]
pub struct Chaos {
    /// Cut every attempt as soon as it has made one more step.
    pub(crate) cut_always: bool,
    /// Cut an attempt when its invocation reaches one of these numbers of commands.
    pub(crate) cut_after: BTreeSet<u32>,
    /// Break the n-th attempt overall before it has sent anything; the first is 1.
    pub(crate) failing_attempts: BTreeSet<u64>,
    /// Crash the runtime instead of its n-th log commit; the first is 1.
    pub(crate) crashes: BTreeSet<u64>,
    /// Suspend at every wait instead of keeping the connection open for a while.
    pub(crate) suspend_always: bool,
}

/// What has happened so far, to find out which faults are due.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) attempts: u64,
    pub(crate) commits: u64,
    /// The values of `cut_after` that have been applied, by invocation.
    pub(crate) cuts: BTreeMap<String, BTreeSet<u32>>,
}
