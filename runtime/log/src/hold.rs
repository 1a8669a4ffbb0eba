//! What keeps a log from removing records while somebody copies them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Keeps the records of a log until it is dropped; see [`crate::Log::hold`].
#[derive(Debug)]
#[must_use = "the log may remove records as soon as this is dropped"]
pub struct Hold(Holds);

/// How many hold a log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holds(Arc<AtomicUsize>);

impl Holds {
    pub(crate) fn begin(&self) -> Hold {
        self.0.fetch_add(1, Ordering::SeqCst);
        Hold(self.clone())
    }

    pub(crate) fn is_held(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Hold {
    /// Only counts: the log retries removals that it owes, so nothing has to be woken.
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
