//! Parts of the node's memory that one kind of work may hold, by bytes.
//!
//! What is taken is given back when it is dropped. New work asks and is refused when there is nothing
//! left; what has begun waits, first come, first served. Whatever is larger than the whole part gets it
//! alone, so that everything ends.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in units of this size, rounded up: what the smallest request costs anyway.
const UNIT_BYTES: usize = 1024;

/// A part of the memory budget. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Share {
    free: Arc<Semaphore>,
    units: u32,
}

/// Bytes that are held, for as long as this lives.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "it gives back what it has")] OwnedSemaphorePermit);

impl Share {
    /// A part of so many bytes, at least one unit of 1 KiB.
    pub fn new(bytes: usize) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Takes bytes if they are there; `None` if not.
    pub fn try_take(&self, bytes: usize) -> Option<Held> {
        Arc::clone(&self.free).try_acquire_many_owned(self.units_of(bytes)).ok().map(Held)
    }

    /// Takes bytes when they are there.
    ///
    /// # Panics
    /// Never: a part is not closed.
    pub async fn take(&self, bytes: usize) -> Held {
        let permit = Arc::clone(&self.free).acquire_many_owned(self.units_of(bytes)).await;
        #[expect(clippy::expect_used, reason = "nobody closes it")]
        Held(permit.expect("a part of the budget is never closed"))
    }

    fn units_of(&self, bytes: usize) -> u32 {
        let units = bytes.div_ceil(UNIT_BYTES).max(1);
        u32::try_from(units).map_or(self.units, |units| units.min(self.units))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_held_is_not_there_and_comes_back() {
        let share = Share::new(10 * UNIT_BYTES);
        let small = share.try_take(1).unwrap();
        assert!(share.try_take(10 * UNIT_BYTES).is_none(), "it would need all of it");
        let rest = share.try_take(9 * UNIT_BYTES).unwrap();
        assert!(share.try_take(0).is_none(), "nothing is free");
        drop(small);
        let small = share.take(1).await;
        drop((small, rest));
        // Larger than all there is: alone.
        let large = share.take(usize::MAX).await;
        assert!(share.try_take(1).is_none());
        drop(large);
        assert!(share.try_take(10 * UNIT_BYTES).is_some());
    }
}
