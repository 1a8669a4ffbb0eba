//! How often each name was executed in this process; a replay must not execute it again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

static EXECUTIONS: Mutex<Option<HashMap<String, u64>>> = Mutex::new(None);

/// Counts an execution, and returns how many there are now.
pub(crate) fn executed(name: &str) -> u64 {
    let mut executions = EXECUTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = executions.get_or_insert_default().entry(name.to_owned()).or_default();
    *count += 1;
    *count
}

/// Returns how often a name was executed.
pub(crate) fn executions(name: &str) -> u64 {
    let executions = EXECUTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    executions.as_ref().and_then(|counts| counts.get(name)).copied().unwrap_or(0)
}
