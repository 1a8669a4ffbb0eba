//! Memory for the bodies of requests. Operators wait for it, but few at a time, and whoever holds it
//! has to be quick meanwhile.

use std::sync::Arc;

use runtime_http::{Pressure, body::BodyError};
use runtime_partition::budget::{Held, Share};
use tokio::sync::Semaphore;

/// Memory for bodies that are too large to go uncounted. Clones draw on the same memory.
#[derive(Debug, Clone)]
pub struct BodyMemory {
    share: Share,
    /// A request that waits keeps its connection, and nothing is wrong with it that it could be
    /// closed for. So few may wait: most connections have to stay free for requests that need no
    /// memory, such as probes.
    waiting: Arc<Semaphore>,
    pressure: Pressure,
}

impl BodyMemory {
    /// So many bytes, for which this many requests may wait. While one does, or has just been
    /// refused, `pressure` lets the server abandon slow bodies.
    pub fn new(bytes: usize, waiting_max: usize, pressure: Pressure) -> Self {
        let waiting = Arc::new(Semaphore::new(waiting_max));
        Self { share: Share::new(bytes), waiting, pressure }
    }

    /// Takes memory, waiting for it if need be.
    ///
    /// # Errors
    /// Returns an error if too many requests wait already.
    pub(crate) async fn take(&self, bytes: usize) -> Result<Held, BodyError> {
        if let Some(held) = self.share.try_take(bytes) {
            return Ok(held);
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            self.pressure.note_refusal();
            return Err(BodyError::NoMemory);
        };
        let _waits = self.pressure.begin();
        Ok(self.share.take(bytes).await)
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn some_wait_for_memory_and_more_are_refused() {
        const ALL: usize = 32 << 20;
        let memory = BodyMemory::new(1 << 20, 2, Pressure::default());
        let held = memory.take(ALL).await.unwrap();
        let (mut first, mut second) = (Box::pin(memory.take(ALL)), Box::pin(memory.take(ALL)));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        assert!(matches!(memory.take(ALL).await, Err(BodyError::NoMemory)));
        drop(memory.take(1024).await.unwrap());
        drop(held);
        drop(first.await.unwrap());
        drop(second);
        // Those that have given up do not count.
        drop(memory.take(ALL).await.unwrap());
    }
}
