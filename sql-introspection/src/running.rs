//! The queries that run, of which some are given up when the process has too little memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::{abandoned::Abandoned, growth::own::OwnMemory};

/// The queries that run, the oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunningQueries(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    queries: Mutex<Vec<Arc<Running>>>,
    begun: Notify,
    ended: Notify,
}

/// A query that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) abandoned: Abandoned,
    pub(crate) memory: OwnMemory,
}

/// Notes that a query runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Noted {
    query: Arc<Running>,
    among: RunningQueries,
}

impl RunningQueries {
    /// Notes one, from before it begins until it computes nothing any more.
    pub(crate) fn note(&self, query: Running) -> Noted {
        let query = Arc::new(query);
        self.all().push(Arc::clone(&query));
        self.0.begun.notify_one();
        Noted { query, among: self.clone() }
    }

    /// Waits until there are any. Only one may wait.
    pub(crate) async fn any(&self) {
        while self.all().is_empty() {
            self.0.begun.notified().await;
        }
    }

    /// Abandons the one that has the most memory, because the process has too little, and waits until
    /// it has ended. If it was abandoned before, it is only waited for: others do not have what it has.
    pub(crate) async fn give_up_largest(&self) {
        let largest = {
            let all = self.all();
            // The last one of those that have the same: the others have run longer without harm.
            let largest = all.iter().max_by_key(|query| query.memory.taken());
            let Some(largest) = largest else { return };
            largest.abandoned.for_memory();
            Arc::clone(largest)
        };
        loop {
            let ended = self.0.ended.notified();
            if !self.all().iter().any(|query| Arc::ptr_eq(query, &largest)) {
                return;
            }
            ended.await;
        }
    }

    /// Abandons all of them.
    pub(crate) fn give_up_all(&self) {
        self.all().iter().for_each(|query| query.abandoned.for_memory());
    }

    /// What each of them has, in bytes.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> Vec<usize> {
        self.all().iter().map(|query| query.memory.taken()).collect()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Running>>> {
        self.0.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::ops::Deref for Noted {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.query
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.among.all().retain(|query| !Arc::ptr_eq(query, &self.query));
        self.among.0.ended.notify_waiters();
    }
}
