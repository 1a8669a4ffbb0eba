//! Lets connections in. Those that have said nothing yet are few, and the oldest of them go first,
//! so that they keep nobody out.

use std::collections::VecDeque;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};

use crate::error::SqlError;

/// Connections that may be on their way in, but no more than those inside. A client is let in within
/// milliseconds.
pub const WAITING_MAX: usize = 128;

/// The door of a server.
pub(super) struct Door {
    places: Arc<Semaphore>,
    waiting_max: usize,
    waiting: VecDeque<(AbortHandle, Arc<AtomicBool>)>,
}

/// What a connection needs to come in.
pub(super) struct Visitor {
    places: Arc<Semaphore>,
    is_inside: Arc<AtomicBool>,
}

impl Door {
    /// A door for so many connections, those on their way in included.
    pub(super) fn new(connections_max: usize) -> Self {
        let waiting_max = WAITING_MAX.min(connections_max.div_ceil(2));
        let places = Arc::new(Semaphore::new(connections_max - waiting_max));
        Self { places, waiting_max, waiting: VecDeque::new() }
    }

    /// Someone who has come; `serve` begins to serve them.
    pub(super) fn admit(&mut self, serve: impl FnOnce(Visitor) -> AbortHandle) {
        self.waiting
            .retain(|(task, is_inside)| !task.is_finished() && !is_inside.load(Ordering::Relaxed));
        if self.waiting.len() >= self.waiting_max
            && let Some((oldest, _)) = self.waiting.pop_front()
        {
            oldest.abort();
        }
        let is_inside = Arc::new(AtomicBool::new(false));
        let visitor =
            Visitor { places: Arc::clone(&self.places), is_inside: Arc::clone(&is_inside) };
        self.waiting.push_back((serve(visitor), is_inside));
    }
}

impl Visitor {
    /// Takes a place, which is free again once the permit is dropped.
    ///
    /// # Errors
    /// Returns an error if all places are taken.
    pub(super) fn take_place(&self) -> Result<OwnedSemaphorePermit, SqlError> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            SqlError::new("53300", "there are too many connections already")
                .hint("close some, or let them share a pool")
        })
    }

    /// Says that it has shown that it may be here.
    pub(super) fn is_inside(&self) {
        self.is_inside.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_say_nothing_make_room_for_others_and_those_inside_do_not() {
        let mut door = Door::new(2);
        let mut tasks = Vec::new();
        let mut come = |door: &mut Door| {
            let mut inside = None;
            door.admit(|visitor| {
                let task = tokio::spawn(std::future::pending::<()>());
                inside = Some(visitor);
                let handle = task.abort_handle();
                tasks.push(task);
                handle
            });
            inside
        };
        let first = come(&mut door).unwrap();
        let place = first.take_place().unwrap();
        first.is_inside();
        come(&mut door);
        let late = come(&mut door).unwrap();
        assert_eq!(late.take_place().unwrap_err().code, "53300");
        drop(place);
        assert!(late.take_place().is_ok());
        tokio::task::yield_now().await;
        let ended: Vec<_> = (0..tasks.len()).filter(|at| tasks[*at].is_finished()).collect();
        assert_eq!(ended, [1], "the oldest of those outside");
    }
}
