//! Shares of the node's memory that one kind of work may hold, counted in bytes.
//!
//! Memory is returned when its guard is dropped. New work asks for memory and is refused if there
//! is none left; work that has started waits, first come, first served. A request larger than the
//! whole capacity of its size class gets all of it, so that everything finishes eventually.
//!
//! Every size class has its own capacity, so that small requests never wait for large ones. Within
//! a size class the work of one deployment may hold at most [`POOL_SHARE`] times what it leaves
//! free, and each of its services at most that many times what is left of the deployment's part. So
//! the next deployment always finds some memory, and a request that waits for its own pool does not
//! delay any other pool.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::DeploymentId;
use tokio::sync::oneshot;

/// A pool may hold at most this many times what it leaves free.
pub const POOL_SHARE: usize = 4;

/// Whether a pool that holds `used` may take `more` if `left` is free afterwards. A pool that holds
/// nothing always may.
pub fn leaves_enough(used: usize, more: usize, left: usize) -> bool {
    used == 0 || used + more <= POOL_SHARE * left
}

/// How much more of `free` a pool that holds `used` may take so that it still [`leaves_enough`].
pub fn may_have(used: usize, free: usize) -> usize {
    (POOL_SHARE * free).saturating_sub(used) / (POOL_SHARE + 1)
}

/// The work that a limit applies to: that of one service of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pool {
    /// The deployment that runs the work.
    pub deployment: DeploymentId,
    /// Which of the services of the deployment the work belongs to.
    pub service: u32,
}

/// What even the smallest request costs.
const UNIT_BYTES: usize = 1024;

/// Size classes: the largest payload of each, in bytes, and its part of the budget, in sixteenths.
pub(crate) const SIZES: [(usize, usize); 4] =
    [(4 << 10, 1), (128 << 10, 2), (2 << 20, 4), (usize::MAX, 9)];

/// A share of the memory budget. Cheap to clone; clones draw on the same memory.
#[derive(Debug, Clone)]
pub struct Share(Arc<[Mutex<SizeClass>; SIZES.len()]>);

/// Memory that is held until this is dropped.
#[derive(Debug)]
pub struct Held {
    share: Share,
    size: usize,
    pool: Option<Pool>,
    bytes: usize,
}

/// The memory of one size class.
#[derive(Debug, Default)]
struct SizeClass {
    max: usize,
    used: usize,
    deployments: BTreeMap<DeploymentId, usize>,
    pools: BTreeMap<Option<Pool>, OfPool>,
    /// How many requests have had to wait so far.
    arrivals: u64,
}

#[derive(Debug, Default)]
struct OfPool {
    used: usize,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Requests with a lower number arrived earlier.
    arrival: u64,
    bytes: usize,
    granted: oneshot::Sender<Held>,
}

impl Share {
    /// A share of this many bytes, at least a few KiB.
    pub fn new(bytes: usize) -> Self {
        let class = |(_, sixteenths): (usize, usize)| {
            let max = (bytes / 16 * sixteenths).max(UNIT_BYTES);
            Mutex::new(SizeClass { max, ..SizeClass::default() })
        };
        Self(Arc::new(SIZES.map(class)))
    }

    /// Takes memory if it is free, from the size class of `bytes` or a larger one; `None` if not.
    pub fn try_take(&self, bytes: usize) -> Option<Held> {
        (size_of(bytes)..SIZES.len()).find_map(|size| self.try_take_of(size, None, bytes))
    }

    /// Waits until memory is free and takes it.
    pub async fn take(&self, bytes: usize) -> Held {
        self.take_of(None, bytes).await
    }

    /// Waits until memory is free for the work of a pool and takes it.
    pub async fn take_for(&self, pool: Pool, bytes: usize) -> Held {
        self.take_of(Some(pool), bytes).await
    }

    fn try_take_of(&self, size: usize, pool: Option<Pool>, bytes: usize) -> Option<Held> {
        let mut class = self.class(size);
        let bytes = class.counted(bytes);
        let is_first = !class.pools.values().any(|of_pool| !of_pool.waiting.is_empty());
        if !is_first || class.verdict(pool, bytes) != Verdict::Fits {
            return None;
        }
        class.give(pool, bytes);
        Some(Held { share: self.clone(), size, pool, bytes })
    }

    async fn take_of(&self, pool: Option<Pool>, bytes: usize) -> Held {
        let size = size_of(bytes);
        if let Some(held) = self.try_take_of(size, pool, bytes) {
            return held;
        }
        let (granted, receiver) = oneshot::channel();
        self.class(size).wait(pool, bytes, granted);
        // Memory may have been returned in between.
        self.grant(size);
        #[expect(clippy::expect_used, reason = "we hold the share, which owns the waiting request")]
        receiver.await.expect("a request that waits for memory is granted it")
    }

    /// Serves the requests that wait.
    fn grant(&self, size: usize) {
        // A request that was dropped meanwhile returns its memory at once, for which the lock must
        // be free.
        while let Some((pool, Waiting { bytes, granted, .. })) = self.next(size) {
            drop(granted.send(Held { share: self.clone(), size, pool, bytes }));
        }
    }

    /// Takes memory for the next request that waits.
    fn next(&self, size: usize) -> Option<(Option<Pool>, Waiting)> {
        let mut class = self.class(size);
        let (pool, waiting) = class.next()?;
        class.give(pool, waiting.bytes);
        Some((pool, waiting))
    }

    fn class(&self, size: usize) -> MutexGuard<'_, SizeClass> {
        self.0[size].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.share.class(self.size).take_back(self.pool, self.bytes);
        self.share.grant(self.size);
    }
}

/// Whether a request can have memory now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fits,
    /// Once others return some.
    Later,
    /// Once its own pool returns some.
    LaterByPool,
}

impl SizeClass {
    fn counted(&self, bytes: usize) -> usize {
        bytes.max(UNIT_BYTES).min(self.max)
    }

    fn verdict(&self, pool: Option<Pool>, bytes: usize) -> Verdict {
        let free = self.max - self.used;
        if let Some(Pool { deployment, .. }) = pool {
            let left = free.saturating_sub(bytes);
            let of_all = self.deployments.get(&deployment).copied().unwrap_or_default();
            let own = self.pools.get(&pool).map_or(0, |of_pool| of_pool.used);
            let left_of_all = may_have(of_all + bytes, left);
            if !leaves_enough(of_all, bytes, left) || !leaves_enough(own, bytes, left_of_all) {
                return Verdict::LaterByPool;
            }
        }
        if bytes <= free { Verdict::Fits } else { Verdict::Later }
    }

    fn give(&mut self, pool: Option<Pool>, bytes: usize) {
        self.used += bytes;
        assert!(self.used <= self.max, "{} of {} bytes are in use", self.used, self.max);
        self.pools.entry(pool).or_default().used += bytes;
        if let Some(Pool { deployment, .. }) = pool {
            *self.deployments.entry(deployment).or_default() += bytes;
        }
    }

    fn take_back(&mut self, pool: Option<Pool>, bytes: usize) {
        let of_pool = self.pools.entry(pool).or_default();
        assert!(
            bytes <= of_pool.used && bytes <= self.used,
            "{bytes} bytes are returned, but the pool holds {} and all pools hold {}",
            of_pool.used,
            self.used
        );
        of_pool.used -= bytes;
        self.used -= bytes;
        if let Some(Pool { deployment, .. }) = pool {
            let of_all = self.deployments.entry(deployment).or_default();
            assert!(
                bytes <= *of_all,
                "{bytes} bytes are returned, but {deployment} holds {of_all}"
            );
            *of_all -= bytes;
            if *of_all == 0 {
                self.deployments.remove(&deployment);
            }
        }
        if of_pool.used == 0 && of_pool.waiting.is_empty() {
            self.pools.remove(&pool);
        }
    }

    fn wait(&mut self, pool: Option<Pool>, bytes: usize, granted: oneshot::Sender<Held>) {
        let (arrival, bytes) = (self.arrivals, self.counted(bytes));
        self.arrivals += 1;
        self.pools.entry(pool).or_default().waiting.push_back(Waiting { arrival, bytes, granted });
    }

    /// The earliest of the requests that do not wait for their own pool. If there is not enough
    /// memory for it, no later request is served before it.
    fn next(&mut self) -> Option<(Option<Pool>, Waiting)> {
        for of_pool in self.pools.values_mut() {
            while of_pool.waiting.pop_front_if(|waiting| waiting.granted.is_closed()).is_some() {}
        }
        self.pools.retain(|_, of_pool| of_pool.used > 0 || !of_pool.waiting.is_empty());
        let heads = self.pools.iter().filter_map(|(pool, of_pool)| {
            let head = of_pool.waiting.front()?;
            Some((head.arrival, *pool, self.verdict(*pool, head.bytes)))
        });
        let (_, pool, verdict) = heads
            .filter(|(_, _, verdict)| *verdict != Verdict::LaterByPool)
            .min_by_key(|head| head.0)?;
        if verdict == Verdict::Later {
            return None;
        }
        Some((pool, self.pools.get_mut(&pool)?.waiting.pop_front()?))
    }
}

/// Which of [`SIZES`] a payload of `bytes` bytes belongs to.
pub(crate) fn size_of(bytes: usize) -> usize {
    SIZES.iter().position(|(bytes_max, _)| bytes <= *bytes_max).unwrap_or(SIZES.len() - 1)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const MIB: usize = 1 << 20;

    fn pool(deployment: u128, service: u32) -> Pool {
        Pool { deployment: DeploymentId(deployment), service }
    }

    #[tokio::test]
    async fn what_is_held_is_not_there_and_comes_back() {
        let share = Share::new(16 * UNIT_BYTES);
        let all: Vec<Held> = std::iter::from_fn(|| share.try_take(1)).collect();
        assert_eq!(all.len(), 16, "what is small may have all");
        drop(all);
        let small = share.take(1).await;
        assert!(share.take(1).now_or_never().is_none(), "that waits for its own size");
        drop(small);
        // Larger than the whole capacity: it gets all of it.
        let large = share.take(usize::MAX).await;
        assert!(share.try_take(usize::MAX).is_none());
        assert!(share.try_take(1).is_some(), "and in nobody's way");
        drop(large);
        assert!(share.try_take(usize::MAX).is_some());
    }

    #[tokio::test]
    async fn waiters_are_served_in_order_and_cancelled_ones_are_skipped() {
        let share = Share::new(64 * MIB);
        let one = share.take(30 * MIB).await;
        let mut left = Box::pin(share.take(40 * MIB));
        let mut second = Box::pin(share.take(30 * MIB));
        let mut third = Box::pin(share.take(3 * MIB));
        for waits in [&mut left, &mut second, &mut third] {
            assert!(waits.now_or_never().is_none());
        }
        assert!(share.try_take(3 * MIB).is_none(), "others came before");
        drop(left);
        drop(one);
        let _second = second.now_or_never().unwrap();
        let _third = third.now_or_never().unwrap();
    }

    #[tokio::test]
    async fn a_pool_leaves_something_and_waits_for_itself() {
        let share = Share::new(64 * MIB);
        let slow = share.take_for(pool(1, 0), 25 * MIB).await;
        let mut much = Box::pin(share.take_for(pool(1, 0), 25 * MIB));
        assert!((&mut much).now_or_never().is_none());
        let _less =
            share.take_for(pool(1, 0), MIB).now_or_never().expect("there is room for that size");
        let other =
            share.take_for(pool(2, 0), 3 * MIB).now_or_never().expect("that is not in its way");
        drop((slow, other));
        much.now_or_never().expect("its pool has given back enough");
    }

    /// Within a size class each pool leaves a fifth of what it finds.
    #[test]
    fn pools_that_take_all_they_can_get_leave_something_for_the_next() {
        let share = Share::new(64 * MIB);
        let mut all = Vec::new();
        let taken: Vec<usize> = (0..4)
            .map(|number| {
                let held =
                    std::iter::from_fn(|| share.take_for(pool(number, 0), 10 << 10).now_or_never());
                let before = all.len();
                all.extend(held);
                all.len() - before
            })
            .collect();
        assert_eq!(taken[..2], [524, 188], "{taken:?}");
        assert!(taken.iter().all(|taken| *taken > 0), "{taken:?}");
    }

    /// No matter how many services a deployment has.
    #[test]
    fn the_services_of_a_deployment_leave_something_together() {
        let share = Share::new(64 * MIB);
        let mut all = Vec::new();
        for service in 0..1000 {
            while let Some(held) = share.take_for(pool(1, service), 10 << 10).now_or_never() {
                all.push(held);
            }
        }
        let class = 64 * MIB / 16 * 2;
        assert!(all.len() * (10 << 10) <= class / 5 * 4, "{} are held", all.len());
        assert!(share.take_for(pool(2, 0), 10 << 10).now_or_never().is_some());
    }
}
