//! Limits the number of concurrent attempts and the bytes waiting to be sent to them, and announces
//! when capacity becomes available again.
//!
//! The attempts of a deployment may hold at most [`POOL_SHARE`] times what they leave free, and the
//! same rule divides a deployment's share among its services. So however many pools take all they
//! can get, something is always left for the next deployment, and for the next service of each: a
//! single busy deployment gets four fifths of all permits, and a single busy service four fifths of
//! those.
//!
//! [`POOL_SHARE`]: runtime_partition::budget::POOL_SHARE

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::PoisonError;
#[cfg(not(feature = "loom"))]
use std::sync::{Mutex, MutexGuard};

#[cfg(feature = "loom")]
use loom::sync::{Mutex, MutexGuard};
use protocol::DeploymentId;
use runtime_partition::{
    Full,
    budget::{Pool, may_have},
};
use runtime_views::why::{Capacity, Lack, Resource};

/// The total capacity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Concurrent attempts.
    pub(crate) attempts: usize,
    /// Attempts among them with a connection of their own, since their endpoint speaks HTTP/1.1.
    pub(crate) connections: usize,
    /// Bytes of journals and state that have not been sent yet.
    pub(crate) bytes: usize,
}

/// The concurrency permits of a node's attempts.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: Use,
    deployments: HashMap<DeploymentId, Use>,
    pools: HashMap<Pool, Use>,
    /// Deployments whose attempts each have a connection of their own.
    single: BTreeSet<DeploymentId>,
    /// The limits that attempts were refused for, and the size in bytes of the smallest such
    /// attempt.
    needs: BTreeMap<Full, usize>,
    /// The limits whose refusals partitions have noted, so that free capacity has to be announced.
    refused: BTreeSet<Full>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Use {
    attempts: usize,
    connections: usize,
    bytes: usize,
}

/// Capacity to announce: which limit was exhausted, and how many attempts now fit.
pub(crate) type News = Vec<(Full, usize)>;

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, taken: Mutex::new(Taken::default()) }
    }

    /// Takes a permit in a pool, along with `bytes` of the byte budget; and a connection if
    /// `is_single`.
    ///
    /// # Errors
    /// Returns the limit that is exhausted.
    pub(crate) fn take(&self, pool: Pool, bytes: usize, is_single: bool) -> Result<(), Full> {
        let mut taken = self.lock();
        self.check_locked(&mut taken, pool, bytes, is_single)?;
        taken.add(pool, Use { attempts: 1, connections: usize::from(is_single), bytes });
        Ok(())
    }

    /// Whether [`Limiter::take`] would succeed now.
    ///
    /// # Errors
    /// Returns the limit that is exhausted.
    pub(crate) fn check(&self, pool: Pool, bytes: usize, is_single: bool) -> Result<(), Full> {
        self.check_locked(&mut self.lock(), pool, bytes, is_single)
    }

    fn check_locked(
        &self,
        taken: &mut Taken,
        pool: Pool,
        bytes: usize,
        is_single: bool,
    ) -> Result<(), Full> {
        if is_single {
            taken.single.insert(pool.deployment);
        }
        for full in Full::of(pool) {
            if self.capacity(taken, full, bytes) == 0 {
                let least = taken.needs.entry(full).or_insert(bytes);
                *least = bytes.min(*least);
                return Err(full);
            }
        }
        Ok(())
    }

    /// What an attempt of a pool with `bytes` cannot have now; `None` if it could start.
    pub(crate) fn lack(&self, pool: Pool, bytes: usize) -> Option<Lack> {
        let taken = self.lock();
        let full =
            Full::of(pool).into_iter().find(|full| self.capacity(&taken, *full, bytes) == 0)?;
        let (used, may_have) = self.room(&taken, full);
        let (resource, held, max) = if may_have.attempts == 0 {
            (Resource::Permits, used.attempts, self.limits.attempts)
        } else if !used.leaves_bytes(may_have, bytes) {
            (Resource::Memory, used.bytes, self.limits.bytes)
        } else {
            (Resource::Connections, used.connections, self.limits.connections)
        };
        let of = match full {
            Full::All => Capacity::Node,
            Full::Deployment(deployment) => Capacity::Deployment(deployment),
            Full::Service(Pool { deployment, .. }) => Capacity::Service(deployment),
        };
        Some(Lack { resource, of, held, max })
    }

    /// Takes `bytes` of the byte budget for an attempt that has a permit; returns whether there were
    /// enough.
    pub(crate) fn take_bytes(&self, pool: Pool, bytes: usize) -> bool {
        let mut taken = self.lock();
        let has_room = Full::of(pool).into_iter().all(|full| {
            let (used, may_have) = self.room(&taken, full);
            used.leaves_bytes(may_have, bytes)
        });
        if has_room {
            taken.add(pool, Use { bytes, ..Use::default() });
        }
        has_room
    }

    /// Notes that an attempt was refused; returns capacity that is already available again, to
    /// announce.
    #[must_use]
    pub(crate) fn refused(&self, full: Full) -> News {
        let mut taken = self.lock();
        taken.refused.insert(full);
        self.news(&mut taken)
    }

    /// Gives back `bytes` that have been sent; returns the capacity to announce.
    ///
    /// # Panics
    /// Panics if they were never taken.
    #[must_use]
    pub(crate) fn sent(&self, pool: Pool, bytes: usize) -> News {
        self.give_back(pool, Use { bytes, ..Use::default() })
    }

    /// Gives a permit back; returns the capacity to announce. Unsent bytes remain counted.
    ///
    /// # Panics
    /// Panics if it was never taken.
    #[must_use]
    pub(crate) fn release(&self, pool: Pool, is_single: bool) -> News {
        let connections = usize::from(is_single);
        self.give_back(pool, Use { attempts: 1, connections, bytes: 0 })
    }

    /// Whether any attempt is waiting for a permit.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.lock().refused.is_empty()
    }

    /// The limits that attempts are waiting for.
    pub(crate) fn wanted(&self) -> BTreeSet<Full> {
        self.lock().refused.clone()
    }

    fn give_back(&self, pool: Pool, back: Use) -> News {
        let mut taken = self.lock();
        let Taken { all, deployments, pools, .. } = &mut *taken;
        let of_deployment = deployments.get_mut(&pool.deployment);
        let (Some(of_deployment), Some(of_pool)) = (of_deployment, pools.get_mut(&pool)) else {
            panic!("an attempt of {pool:?} released a permit it never had");
        };
        for used in [all, &mut *of_deployment, &mut *of_pool] {
            assert!(
                used.attempts >= back.attempts
                    && used.connections >= back.connections
                    && used.bytes >= back.bytes,
                "an attempt of {pool:?} released {back:?} out of {used:?}"
            );
            used.attempts -= back.attempts;
            used.connections -= back.connections;
            used.bytes -= back.bytes;
        }
        if of_pool.is_nothing() {
            pools.remove(&pool);
        }
        if of_deployment.is_nothing() {
            deployments.remove(&pool.deployment);
        }
        self.news(&mut taken)
    }

    /// Under the lock, either the release sees the refusal, or the refusal sees the released
    /// capacity.
    fn news(&self, taken: &mut Taken) -> News {
        if taken.refused.is_empty() {
            return News::new();
        }
        let with_room = taken.refused.iter().filter_map(|full| {
            let bytes = taken.needs.get(full).copied().unwrap_or_default();
            Some((*full, self.capacity(taken, *full, bytes))).filter(|(_, capacity)| *capacity > 0)
        });
        let news: News = with_room.collect();
        for (full, _) in &news {
            taken.refused.remove(full);
            taken.needs.remove(full);
        }
        news
    }

    /// How many attempts fit within a limit, one of `bytes` among them. An attempt larger than the
    /// entire budget fits on its own.
    fn capacity(&self, taken: &Taken, full: Full, bytes: usize) -> usize {
        let (used, may_have) = self.room(taken, full);
        let is_single = match full {
            Full::All => false,
            Full::Deployment(deployment) | Full::Service(Pool { deployment, .. }) => {
                taken.single.contains(&deployment)
            }
        };
        if !used.leaves_bytes(may_have, bytes) {
            return 0;
        }
        if is_single { may_have.attempts.min(may_have.connections) } else { may_have.attempts }
    }

    /// What is in use within a limit, and how much more may be.
    fn room(&self, taken: &Taken, full: Full) -> (Use, Use) {
        let free = Use {
            attempts: self.limits.attempts.saturating_sub(taken.all.attempts),
            connections: self.limits.connections.saturating_sub(taken.all.connections),
            bytes: self.limits.bytes.saturating_sub(taken.all.bytes),
        };
        let deployment = match full {
            Full::All => return (taken.all, free),
            Full::Deployment(deployment) | Full::Service(Pool { deployment, .. }) => deployment,
        };
        let used = taken.deployments.get(&deployment).copied().unwrap_or_default();
        let of_deployment = used.share_of(free);
        let Full::Service(pool) = full else {
            return (used, of_deployment);
        };
        let used = taken.pools.get(&pool).copied().unwrap_or_default();
        (used, used.share_of(of_deployment))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn add(&mut self, pool: Pool, more: Use) {
        let of_deployment = self.deployments.entry(pool.deployment).or_default();
        for used in [&mut self.all, of_deployment, self.pools.entry(pool).or_default()] {
            used.attempts += more.attempts;
            used.connections += more.connections;
            used.bytes += more.bytes;
        }
    }
}

impl Use {
    /// How much more of `free` a pool or deployment with this usage may take. With no usage, one is
    /// allowed if any is free.
    fn share_of(self, free: Self) -> Self {
        let share =
            |used: usize, free: usize| may_have(used, free).max(usize::from(used == 0)).min(free);
        Self {
            attempts: share(self.attempts, free.attempts),
            connections: share(self.connections, free.connections),
            bytes: may_have(self.bytes, free.bytes),
        }
    }

    /// Whether `bytes` more fit into what this usage `may_have`. Anything fits on its own.
    fn leaves_bytes(self, may_have: Self, bytes: usize) -> bool {
        self.bytes == 0 || (may_have.bytes > 0 && bytes <= may_have.bytes)
    }

    fn is_nothing(self) -> bool {
        self.attempts == 0 && self.bytes == 0
    }
}

/// A pool for tests: one service of a deployment.
#[cfg(test)]
fn service(deployment: u128, service: u32) -> Pool {
    Pool { deployment: DeploymentId(deployment), service }
}

/// The first pool of a deployment.
#[cfg(test)]
fn pool(deployment: u128) -> Pool {
    service(deployment, 0)
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn limiter(attempts: usize, bytes: usize) -> Limiter {
        Limiter::new(Limits { attempts, connections: 10, bytes })
    }

    /// Takes as many permits as a pool can get.
    fn fill(limiter: &Limiter, pool: Pool, bytes: usize) -> usize {
        (0..).take_while(|_| limiter.take(pool, bytes, false).is_ok()).count()
    }

    #[test]
    fn a_greedy_pool_leaves_permits_for_all_others() {
        let all = limiter(10_000, 1 << 20);
        let taken: Vec<usize> = (0..5).map(|number| fill(&all, pool(number), 0)).collect();
        assert_eq!(taken[..2], [6400, 2304], "{taken:?}");
        assert!(taken.iter().all(|taken| *taken > 0), "{taken:?}");
        assert_eq!(all.take(pool(0), 0, false), Err(Full::Deployment(DeploymentId(0))));
        assert_eq!(all.take(pool(99), 0, false), Ok(()));
        let tiny = limiter(1, 100);
        assert_eq!(fill(&tiny, pool(1), 0), 1, "one permit is taken");
        assert_eq!(tiny.take(pool(2), 0, false), Err(Full::All));
    }

    /// However many services a deployment has, and whichever of them takes all it can get.
    #[test]
    fn the_services_of_a_deployment_leave_something_to_each_other_and_to_others() {
        let all = limiter(10_000, 1 << 20);
        let of_service =
            |number| (0..).take_while(|_| all.take(service(1, number), 0, false).is_ok()).count();
        assert_eq!([of_service(0), of_service(1)], [6400, 1280]);
        let rest: usize = (2..1000).map(of_service).sum();
        assert_eq!(6400 + 1280 + rest, 8000, "four fifths, for all of them");
        assert_eq!(of_service(1000), 0);
        assert_eq!(all.take(service(1, 1001), 0, false), Err(Full::Deployment(DeploymentId(1))));
        assert_eq!(all.take(pool(2), 0, false), Ok(()));
    }

    /// What an attempt is sent later counts like what it was started with, permits or not.
    #[test]
    fn bytes_for_a_running_attempt_take_no_permit() {
        let all = limiter(1, 1000);
        assert_eq!(all.take(pool(1), 0, false), Ok(()));
        assert!(all.take_bytes(pool(1), 5000), "alone");
        assert!(!all.take_bytes(pool(1), 1) && !all.take_bytes(pool(2), 1));
        assert_eq!(all.sent(pool(1), 5000), []);
        assert!(all.take_bytes(pool(1), 700) && !all.take_bytes(pool(1), 300));
        assert!(all.take_bytes(pool(2), 300), "another deployment may have the rest");
        assert_eq!(all.release(pool(1), false), []);
        assert_eq!([all.sent(pool(1), 700), all.sent(pool(2), 300)], [[], []]);
    }

    #[test]
    fn bytes_are_shared_like_places_and_what_is_too_large_goes_alone() {
        let all = limiter(1000, 1000);
        assert_eq!(all.take(pool(1), 5000, false), Ok(()), "alone");
        assert_eq!(all.take(pool(2), 300, false), Err(Full::All));
        assert_eq!(all.refused(Full::All), []);
        assert_eq!(all.sent(pool(1), 4200), [], "that is not enough for the waiting pool");
        assert_eq!(all.sent(pool(1), 700), [(Full::All, 999)]);
        assert_eq!(fill(&all, pool(2), 100), 5, "what is free is less with each");
        assert_eq!(all.take(pool(2), 100, false), Err(Full::Service(pool(2))));
        assert_eq!(all.take(pool(3), 100, false), Ok(()));
    }

    /// A service whose attempts each need a connection leaves some, and other services don't wait
    /// for them.
    #[test]
    fn connections_are_shared_like_places() {
        let all = limiter(10_000, 1000);
        let taken = (0..).take_while(|_| all.take(pool(1), 0, true).is_ok()).count();
        assert_eq!(taken, 6, "of ten");
        assert_eq!(all.take(pool(1), 0, true), Err(Full::Service(pool(1))));
        assert_eq!(all.take(pool(2), 0, true), Ok(()));
        assert_eq!(fill(&all, pool(3), 0), 6395, "its share of the rest: these need none");
        assert_eq!(all.refused(Full::Service(pool(1))), []);
        assert_eq!(all.release(pool(2), true), []);
        assert_eq!(all.release(pool(1), true), [(Full::Service(pool(1)), 1)]);
    }

    /// What an operator is told about an attempt that cannot start.
    #[test]
    fn what_is_lacking_is_said_with_its_numbers() {
        let lack = |resource, of, held, max| Some(Lack { resource, of, held, max });
        let of_one = Capacity::Service(DeploymentId(1));
        let all = limiter(10, 1000);
        assert_eq!(all.lack(pool(1), 0), None);
        assert_eq!(fill(&all, pool(1), 0), 6);
        assert_eq!(all.lack(pool(1), 0), lack(Resource::Permits, of_one, 6, 10));
        assert_eq!(all.lack(pool(2), 0), None, "another deployment may start one");
        assert!(!all.is_wanted(), "asking changes nothing");
        let full = limiter(1, 1000);
        full.take(pool(1), 0, false).unwrap();
        assert_eq!(full.lack(pool(2), 0), lack(Resource::Permits, Capacity::Node, 1, 1));
        let bytes = limiter(10, 1000);
        bytes.take(pool(1), 700, false).unwrap();
        assert_eq!(bytes.lack(pool(2), 700), lack(Resource::Memory, Capacity::Node, 700, 1000));
        assert_eq!(bytes.lack(pool(2), 100), None);
        let single = limiter(10_000, 1000);
        let taken = (0..).take_while(|_| single.take(pool(1), 0, true).is_ok()).count();
        assert_eq!(single.lack(pool(1), 0), lack(Resource::Connections, of_one, taken, 10));
    }

    #[test]
    fn waiting_pools_are_notified_by_name() {
        let all = limiter(10, 1000);
        let taken = fill(&all, pool(1), 0);
        assert_eq!(taken, 6);
        assert_eq!(all.refused(Full::Service(pool(1))), []);
        assert!(all.is_wanted());
        all.take(pool(2), 0, false).unwrap();
        assert_eq!(all.release(pool(2), false), [], "one place more is still less than its share");
        assert_eq!(all.release(pool(1), false), [(Full::Service(pool(1)), 1)]);
        assert!(!all.is_wanted());
        assert_eq!(all.release(pool(1), false), [], "nobody has been refused since");
        assert_eq!(
            all.refused(Full::Service(pool(1))),
            [(Full::Service(pool(1)), 2)],
            "there is room already"
        );
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    const ONE: Limits = Limits { attempts: 1, connections: 1, bytes: 1 };

    /// An attempt is refused while another one ends: however the two interleave, one of them
    /// announces the capacity; otherwise the refused attempt would wait forever.
    #[test]
    fn room_for_a_refused_attempt_is_always_announced() {
        loom::model(|| {
            let limiter = Arc::new(Limiter::new(ONE));
            assert!(limiter.take(pool(1), 0, false).is_ok());
            let ending = thread::spawn({
                let limiter = Arc::clone(&limiter);
                move || !limiter.release(pool(1), false).is_empty()
            });
            let refused = limiter.take(pool(2), 0, false).err();
            let is_announced = refused.is_some_and(|full| !limiter.refused(full).is_empty());
            let was_announced = ending.join().unwrap();
            assert!(
                refused.is_none() || is_announced || was_announced,
                "nobody says that there is room"
            );
        });
    }

    /// A permit that was given back is available to the next attempt, even while another is being
    /// refused.
    #[test]
    fn a_refusal_takes_no_place() {
        loom::model(|| {
            let limiter = Arc::new(Limiter::new(ONE));
            let other = thread::spawn({
                let limiter = Arc::clone(&limiter);
                move || limiter.take(pool(1), 0, false).is_ok()
            });
            let (one, other) = (limiter.take(pool(1), 0, false).is_ok(), other.join().unwrap());
            assert!(one || other, "two that come together do not keep each other out");
            let _ = limiter.release(pool(1), false);
            assert!(limiter.take(pool(1), 0, false).is_ok());
        });
    }
}
