//! How many attempts may be under way, and who hears when there is room for more.

#[cfg(feature = "loom")]
use loom::sync::{Mutex, MutexGuard};
use std::sync::PoisonError;
#[cfg(not(feature = "loom"))]
use std::sync::{Mutex, MutexGuard};

/// The places of all attempts of a node.
#[derive(Debug)]
pub(crate) struct Places {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    /// Whether an attempt was refused since room was last announced.
    has_refused: bool,
}

impl Places {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, taken: Mutex::new(Taken::default()) }
    }

    /// Takes a place; false when there is none.
    pub(crate) fn take(&self) -> bool {
        let mut taken = self.lock();
        let has_room = taken.count < self.max;
        taken.count += usize::from(has_room);
        has_room
    }

    /// Notes that an attempt was refused; whether there is room already, of which somebody must hear.
    #[must_use]
    pub(crate) fn refused(&self) -> bool {
        let mut taken = self.lock();
        taken.has_refused = true;
        self.is_news(&mut taken)
    }

    /// Gives a place back; whether somebody waits to hear of it.
    ///
    /// # Panics
    /// When none was taken.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        let mut taken = self.lock();
        assert!(taken.count > 0, "an attempt gives back a place that it never had");
        taken.count -= 1;
        self.is_news(&mut taken)
    }

    /// Either whoever makes room sees the refusal, or whoever notes the refusal sees the room.
    fn is_news(&self, taken: &mut Taken) -> bool {
        taken.count < self.max && std::mem::take(&mut taken.has_refused)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// An attempt is refused while another one ends: whichever way they cross, somebody announces the
    /// room, or the refused one would wait for ever.
    #[test]
    fn room_for_a_refused_attempt_is_always_announced() {
        loom::model(|| {
            let places = Arc::new(Places::new(1));
            assert!(places.take());
            let ending = thread::spawn({
                let places = Arc::clone(&places);
                move || places.release()
            });
            let is_refused = !places.take();
            let is_announced = is_refused && places.refused();
            let was_announced = ending.join().unwrap();
            assert!(!is_refused || is_announced || was_announced, "nobody says that there is room");
        });
    }

    /// A place that is given back is seen by whoever comes then, also when another is being refused.
    #[test]
    fn a_refusal_takes_no_place() {
        loom::model(|| {
            let places = Arc::new(Places::new(1));
            let other = thread::spawn({
                let places = Arc::clone(&places);
                move || places.take()
            });
            let (one, other) = (places.take(), other.join().unwrap());
            assert!(one || other, "two that come together do not keep each other out");
            let _ = places.release();
            assert!(places.take());
        });
    }
}
