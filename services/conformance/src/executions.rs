//! How often each name was executed in this process, to detect what a replay repeats.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

static EXECUTIONS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// Counts an execution, and returns how many there are now.
pub(crate) fn executed(name: &str) -> u64 {
    let mut executions = EXECUTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = executions.entry(name.to_owned()).or_default();
    *count += 1;
    *count
}

/// Returns how often a name was executed.
pub(crate) fn executions(name: &str) -> u64 {
    let executions = EXECUTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    executions.get(name).copied().unwrap_or(0)
}
