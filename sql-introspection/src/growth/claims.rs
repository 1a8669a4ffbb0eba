//! Counts values for as long as something holds them.

use std::fmt;
use std::sync::Arc;

use datafusion::{
    arrow::array::Array,
    common::{Result, resources_datafusion_err},
    execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool},
};
use datafusion_execution::memory_pool::arrow::ArrowMemoryPool;

/// Takes memory of queries for values that there are already.
#[derive(Clone)]
pub(crate) struct Claims {
    pool: Arc<dyn MemoryPool>,
    claimed: Arc<ArrowMemoryPool>,
    what: &'static str,
}

impl Claims {
    /// Of this memory, for values that an error calls so.
    pub(crate) fn of(pool: &Arc<dyn MemoryPool>, what: &'static str) -> Self {
        let claimed = ArrowMemoryPool::new(Arc::clone(pool), MemoryConsumer::new(what));
        Self { pool: Arc::clone(pool), claimed: Arc::new(claimed), what }
    }

    /// Counts an array until nothing holds it, or its parts, any more. Those that are counted
    /// already are counted once.
    ///
    /// # Errors
    /// Returns an error if queries take too much with it.
    pub(crate) fn claim(&self, array: &dyn Array) -> Result<()> {
        array.claim(&*self.claimed);
        let taken = self.pool.reserved();
        match self.pool.memory_limit() {
            MemoryLimit::Finite(limit) if taken > limit => Err(resources_datafusion_err!(
                "with the {}, queries would take {taken} bytes, and may take {limit}",
                self.what
            )),
            MemoryLimit::Finite(_) | MemoryLimit::Infinite | MemoryLimit::Unknown => Ok(()),
        }
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims of {}", self.what)
    }
}
