//! How many attempts may be under way, how many bytes may wait to be sent to them, and who hears when
//! there is room for more.
//!
//! Attempts of one service of one deployment share a pool. A pool may have at most [`POOL_SHARE`] times as
//! much as is free, so however many pools take all that they can get, something is always left for the
//! next one: a single busy one has four fifths of all places, two have four ninths each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::PoisonError;
#[cfg(not(feature = "loom"))]
use std::sync::{Mutex, MutexGuard};

#[cfg(feature = "loom")]
use loom::sync::{Mutex, MutexGuard};
use runtime_partition::{Full, budget::POOL_SHARE};

/// How much there is of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Attempts at the same time.
    pub(crate) attempts: usize,
    /// Those of them that have a connection each, since their endpoint speaks HTTP/1.1.
    pub(crate) connections: usize,
    /// Bytes of journals and state that have not been sent yet.
    pub(crate) bytes: usize,
}

/// The places of all attempts of a node.
#[derive(Debug)]
pub(crate) struct Places {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: Use,
    pools: HashMap<u32, Use>,
    /// Those whose attempts have a connection each.
    single: BTreeSet<u32>,
    /// What attempts were refused for, and how many bytes the least of them has.
    needs: BTreeMap<Full, usize>,
    /// Those of it whose refusal has been noted, so that room is to be announced.
    refused: BTreeSet<Full>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Use {
    attempts: usize,
    connections: usize,
    bytes: usize,
}

/// Room of which somebody must hear: what was full, and for how many attempts there is room now.
pub(crate) type News = Vec<(Full, usize)>;

impl Places {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, taken: Mutex::new(Taken::default()) }
    }

    /// Takes a place in a pool, and room for so many bytes; for an attempt with a connection of its own if
    /// it `is_single`.
    ///
    /// # Errors
    /// When there is none: what is full.
    pub(crate) fn take(&self, pool: u32, bytes: usize, is_single: bool) -> Result<(), Full> {
        let mut taken = self.lock();
        if is_single {
            taken.single.insert(pool);
        }
        for full in [Full::All, Full::Pool(pool)] {
            if self.room(&taken, full, bytes) == 0 {
                let least = taken.needs.entry(full).or_insert(bytes);
                *least = bytes.min(*least);
                return Err(full);
            }
        }
        let Taken { all, pools, .. } = &mut *taken;
        for used in [all, pools.entry(pool).or_default()] {
            used.attempts += 1;
            used.connections += usize::from(is_single);
            used.bytes += bytes;
        }
        Ok(())
    }

    /// Notes that an attempt was refused; the room that there is already, of which somebody must hear.
    #[must_use]
    pub(crate) fn refused(&self, full: Full) -> News {
        let mut taken = self.lock();
        taken.refused.insert(full);
        self.news(&mut taken)
    }

    /// Bytes of an attempt are on their way, and no longer here.
    ///
    /// # Panics
    /// When they never were.
    #[must_use]
    pub(crate) fn sent(&self, pool: u32, bytes: usize) -> News {
        self.give_back(pool, Use { bytes, ..Use::default() })
    }

    /// Gives a place back; who is to hear of it. Bytes that are not sent stay counted.
    ///
    /// # Panics
    /// When it was never taken.
    #[must_use]
    pub(crate) fn release(&self, pool: u32, is_single: bool) -> News {
        let connections = usize::from(is_single);
        self.give_back(pool, Use { attempts: 1, connections, bytes: 0 })
    }

    /// Whether somebody waits for a place.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.lock().refused.is_empty()
    }

    /// What somebody waits for.
    pub(crate) fn wanted(&self) -> BTreeSet<Full> {
        self.lock().refused.clone()
    }

    fn give_back(&self, pool: u32, back: Use) -> News {
        let mut taken = self.lock();
        let Taken { all, pools, .. } = &mut *taken;
        let Some(of_pool) = pools.get_mut(&pool) else {
            panic!("an attempt of pool {pool} gives back what it never had");
        };
        for used in [all, &mut *of_pool] {
            assert!(
                used.attempts >= back.attempts
                    && used.connections >= back.connections
                    && used.bytes >= back.bytes,
                "an attempt of pool {pool} gives back {back:?} of {used:?}"
            );
            used.attempts -= back.attempts;
            used.connections -= back.connections;
            used.bytes -= back.bytes;
        }
        if of_pool.attempts == 0 && of_pool.bytes == 0 {
            pools.remove(&pool);
        }
        self.news(&mut taken)
    }

    /// Either whoever makes room sees the refusal, or whoever notes the refusal sees the room.
    fn news(&self, taken: &mut Taken) -> News {
        if taken.refused.is_empty() {
            return News::new();
        }
        let with_room = taken.refused.iter().filter_map(|full| {
            let bytes = taken.needs.get(full).copied().unwrap_or_default();
            Some((*full, self.room(taken, *full, bytes))).filter(|(_, room)| *room > 0)
        });
        let news: News = with_room.collect();
        for (full, _) in &news {
            taken.refused.remove(full);
            taken.needs.remove(full);
        }
        news
    }

    /// For how many attempts there is room, one with so many bytes among them: in all, or in a pool. What
    /// is larger than all there is goes alone.
    fn room(&self, taken: &Taken, full: Full, bytes: usize) -> usize {
        let Limits { attempts: attempts_max, connections: connections_max, bytes: bytes_max } =
            self.limits;
        let free_attempts = attempts_max.saturating_sub(taken.all.attempts);
        let free_bytes = bytes_max.saturating_sub(taken.all.bytes);
        let fits = |used: usize, free: usize| used == 0 || (free > 0 && bytes <= free);
        let Full::Pool(pool) = full else {
            return if fits(taken.all.bytes, free_bytes) { free_attempts } else { 0 };
        };
        let used = taken.pools.get(&pool).copied().unwrap_or_default();
        let share = (POOL_SHARE * free_bytes).saturating_sub(used.bytes);
        if !fits(used.bytes, share) {
            return 0;
        }
        let attempts = fair(used.attempts, free_attempts);
        if taken.single.contains(&pool) {
            let free = connections_max.saturating_sub(taken.all.connections);
            attempts.min(fair(used.connections, free))
        } else {
            attempts
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many more a pool with so many may have, of what is free.
fn fair(used: usize, free: usize) -> usize {
    // Each takes one from what is free, too.
    let share = (POOL_SHARE * free).saturating_sub(used);
    share.div_ceil(POOL_SHARE + 1).max(usize::from(used == 0)).min(free)
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn places(attempts: usize, bytes: usize) -> Places {
        Places::new(Limits { attempts, connections: 10, bytes })
    }

    /// Takes what a pool can get.
    fn fill(places: &Places, pool: u32, bytes: usize) -> usize {
        (0..).take_while(|_| places.take(pool, bytes, false).is_ok()).count()
    }

    #[test]
    fn whoever_takes_all_it_can_get_leaves_something_for_everybody_else() {
        let all = places(10_000, 1 << 20);
        let taken: Vec<usize> = (0..5).map(|pool| fill(&all, pool, 0)).collect();
        assert_eq!(taken[..2], [8000, 1600], "{taken:?}");
        assert!(taken.iter().all(|taken| *taken > 0), "{taken:?}");
        assert_eq!(all.take(0, 0, false), Err(Full::Pool(0)));
        assert_eq!(all.take(99, 0, false), Ok(()));
        let tiny = places(1, 100);
        assert_eq!(fill(&tiny, 1, 0), 1, "one place is somebody's");
        assert_eq!(tiny.take(2, 0, false), Err(Full::All));
    }

    #[test]
    fn bytes_are_shared_like_places_and_what_is_too_large_goes_alone() {
        let all = places(1000, 1000);
        assert_eq!(all.take(1, 5000, false), Ok(()), "alone");
        assert_eq!(all.take(2, 300, false), Err(Full::All));
        assert_eq!(all.refused(Full::All), []);
        assert_eq!(all.sent(1, 4200), [], "that is not enough for whoever waits");
        assert_eq!(all.sent(1, 700), [(Full::All, 999)]);
        assert_eq!(fill(&all, 2, 100), 8, "what is free is less with each");
        assert_eq!(all.take(2, 100, false), Err(Full::Pool(2)));
        assert_eq!(all.take(3, 100, false), Ok(()));
    }

    /// A service whose attempts have a connection each leaves some, and nobody else waits for them.
    #[test]
    fn connections_are_shared_like_places() {
        let all = places(10_000, 1000);
        let taken = (0..).take_while(|_| all.take(1, 0, true).is_ok()).count();
        assert_eq!(taken, 8, "of ten");
        assert_eq!(all.take(1, 0, true), Err(Full::Pool(1)));
        assert_eq!(all.take(2, 0, true), Ok(()));
        assert_eq!(fill(&all, 3, 0), 7993, "four fifths of the rest: these need none");
        assert_eq!(all.refused(Full::Pool(1)), []);
        assert_eq!(all.release(2, true), []);
        assert_eq!(all.release(1, true), [(Full::Pool(1), 1)]);
    }

    #[test]
    fn whoever_waits_hears_of_room_by_its_name() {
        let all = places(10, 1000);
        let taken = fill(&all, 1, 0);
        assert_eq!(taken, 8);
        assert_eq!(all.refused(Full::Pool(1)), []);
        assert!(all.is_wanted());
        all.take(2, 0, false).unwrap();
        assert_eq!(all.release(2, false), [], "one place more is still less than its share");
        assert_eq!(all.release(1, false), [(Full::Pool(1), 1)]);
        assert!(!all.is_wanted());
        assert_eq!(all.release(1, false), [], "nobody has been refused since");
        assert_eq!(all.refused(Full::Pool(1)), [(Full::Pool(1), 2)], "there is room already");
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    const ONE: Limits = Limits { attempts: 1, connections: 1, bytes: 1 };

    /// An attempt is refused while another one ends: whichever way they cross, somebody announces the
    /// room, or the refused one would wait for ever.
    #[test]
    fn room_for_a_refused_attempt_is_always_announced() {
        loom::model(|| {
            let places = Arc::new(Places::new(ONE));
            assert!(places.take(1, 0, false).is_ok());
            let ending = thread::spawn({
                let places = Arc::clone(&places);
                move || !places.release(1, false).is_empty()
            });
            let refused = places.take(2, 0, false).err();
            let is_announced = refused.is_some_and(|full| !places.refused(full).is_empty());
            let was_announced = ending.join().unwrap();
            assert!(
                refused.is_none() || is_announced || was_announced,
                "nobody says that there is room"
            );
        });
    }

    /// A place that is given back is seen by whoever comes then, also when another is being refused.
    #[test]
    fn a_refusal_takes_no_place() {
        loom::model(|| {
            let places = Arc::new(Places::new(ONE));
            let other = thread::spawn({
                let places = Arc::clone(&places);
                move || places.take(1, 0, false).is_ok()
            });
            let (one, other) = (places.take(1, 0, false).is_ok(), other.join().unwrap());
            assert!(one || other, "two that come together do not keep each other out");
            let _ = places.release(1, false);
            assert!(places.take(1, 0, false).is_ok());
        });
    }
}
