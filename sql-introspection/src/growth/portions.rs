//! The memory that one query has of what all have: it always leaves some for others, and each of its
//! steps may have as much of it as it needs.

use std::fmt;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use datafusion::{
    common::{Result, resources_err},
    execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation},
};

/// A query may take at most this many times what it leaves free.
const SHARE: usize = 4;

/// What one query takes.
#[derive(Debug)]
pub(crate) struct Portion {
    of: Arc<dyn MemoryPool>,
    taken: AtomicUsize,
}

impl Portion {
    pub(crate) fn of(all: &Arc<dyn MemoryPool>) -> Arc<Self> {
        Arc::new(Self { of: Arc::clone(all), taken: AtomicUsize::new(0) })
    }

    /// How many bytes it takes.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// # Errors
    /// Returns an error if too little would be left for others.
    fn check(&self, additional: usize) -> Result<()> {
        let MemoryLimit::Finite(limit) = self.of.memory_limit() else { return Ok(()) };
        let taken = self.taken();
        let free = limit.saturating_sub(self.of.reserved() + additional);
        if taken > 0 && taken + additional > SHARE * free {
            return resources_err!(
                "it has {taken} bytes and wants {additional} more, of {limit} for all queries, \
                 which would leave too little for others"
            );
        }
        Ok(())
    }
}

impl MemoryPool for Portion {
    fn name(&self) -> &'static str {
        "portion"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.of.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.of.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.taken.fetch_add(additional, Ordering::Relaxed);
        self.of.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, less: usize) {
        self.taken.fetch_sub(less, Ordering::Relaxed);
        self.of.shrink(reservation, less);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.check(additional)?;
        self.of.try_grow(reservation, additional)?;
        self.taken.fetch_add(additional, Ordering::Relaxed);
        Ok(())
    }

    /// By all queries.
    fn reserved(&self) -> usize {
        self.of.reserved()
    }

    /// That of all queries.
    fn memory_limit(&self) -> MemoryLimit {
        self.of.memory_limit()
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of {}", self.taken(), self.of)
    }
}
