//! Tells what computes for a query that its time is over, or that nobody waits for it any more. A
//! task ends where it waits for something; what computes asks here.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use std::time::Duration;

use datafusion::common::{Result, config::ConfigOptions, exec_err};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{error::SqlError, of_query::OfQuery};

/// Whether a query has been abandoned.
#[derive(Debug, Clone)]
pub(crate) struct Abandoned(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// One of the constants below.
    why: AtomicU8,
    deadline: Instant,
    /// How long it may take, for the error.
    limit: Duration,
    changed: Notify,
}

const NOT: u8 = 0;
/// Nobody waits for it.
const BY_CLIENT: u8 = 1;
/// The process has too little memory.
const FOR_MEMORY: u8 = 2;

impl Abandoned {
    /// Not until the deadline of what may take so long.
    pub(crate) fn after(deadline: Instant, limit: Duration) -> Self {
        let (why, changed) = (AtomicU8::new(NOT), Notify::new());
        Self(Arc::new(Inner { why, deadline, limit, changed }))
    }

    /// Fails if the query with this configuration has been abandoned.
    ///
    /// # Errors
    /// Then it returns an error, which is replaced by the reason.
    pub(crate) fn check(config: &ConfigOptions) -> Result<()> {
        match Self::find(config) {
            Some(it) if it.reason().is_some() => exec_err!("the query has been abandoned"),
            Some(_) | None => Ok(()),
        }
    }

    /// Why it is abandoned, if it is. What computes may keep the timers from being heard, so the
    /// clock is asked as well.
    pub(crate) fn reason(&self) -> Option<SqlError> {
        match self.0.why.load(Ordering::Relaxed) {
            FOR_MEMORY => Some(SqlError::short_of_memory()),
            NOT if Instant::now() < self.0.deadline => None,
            // Nobody reads why if its client has abandoned it.
            _ => Some(SqlError::too_long(self.0.limit.as_secs())),
        }
    }

    /// Abandons what is left of the query.
    pub(crate) fn end(&self) {
        self.tell(BY_CLIENT);
    }

    /// Abandons it because the process has too little memory.
    pub(crate) fn for_memory(&self) {
        self.tell(FOR_MEMORY);
    }

    fn tell(&self, why: u8) {
        // The first reason is the one that counts.
        let _ = self.0.why.compare_exchange(NOT, why, Ordering::Relaxed, Ordering::Relaxed);
        self.0.changed.notify_one();
    }

    /// Waits until the query is abandoned or its time is over. Only one may wait.
    pub(crate) async fn told(&self) {
        let abandoned = async {
            while self.0.why.load(Ordering::Relaxed) == NOT {
                self.0.changed.notified().await;
            }
        };
        // Both ends are the same here.
        let _ = timeout_at(self.0.deadline, abandoned).await;
    }

    /// Abandons the query when what is returned is dropped.
    pub(crate) fn when_dropped(&self) -> UntilDropped {
        UntilDropped(self.clone())
    }
}

/// Abandons a query when it is dropped.
#[derive(Debug)]
pub(crate) struct UntilDropped(Abandoned);

impl UntilDropped {
    /// Why the query has been abandoned, if it has.
    pub(crate) fn reason(&self) -> Option<SqlError> {
        self.0.reason()
    }
}

impl Drop for UntilDropped {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl OfQuery for Abandoned {
    const NAME: &'static str = "abandoned";
}
