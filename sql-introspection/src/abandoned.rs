//! Tells what computes for a query that its time is over, or that nobody waits for it any more. A
//! task ends where it waits for something; what computes asks here.

use std::any::Any;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use datafusion::{
    common::{
        Result,
        config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions},
        exec_err,
    },
    prelude::SessionConfig,
};
use tokio::{sync::Notify, time::Instant};

/// Whether a query has been abandoned.
#[derive(Debug, Clone)]
pub(crate) struct Abandoned(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    is_abandoned: AtomicBool,
    deadline: Instant,
    changed: Notify,
}

impl Abandoned {
    /// Not until the deadline.
    pub(crate) fn after(deadline: Instant) -> Self {
        let (is_abandoned, changed) = (AtomicBool::new(false), Notify::new());
        Self(Arc::new(Inner { is_abandoned, deadline, changed }))
    }

    /// Lets the functions of a query find it.
    pub(crate) fn add(self, config: &mut SessionConfig) {
        config.options_mut().extensions.insert(self);
    }

    /// Fails if the query with this configuration has been abandoned.
    ///
    /// # Errors
    /// Then it returns an error, which nobody reads.
    pub(crate) fn check(config: &ConfigOptions) -> Result<()> {
        match config.extensions.get::<Self>() {
            Some(it) if it.is_over() => exec_err!("the query has been abandoned"),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether it is abandoned. What computes may keep the timers from being heard, so the clock is asked as well.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_abandoned.load(Ordering::Relaxed) || Instant::now() >= self.0.deadline
    }

    /// Abandons the query.
    pub(crate) fn tell(&self) {
        self.0.is_abandoned.store(true, Ordering::Relaxed);
        self.0.changed.notify_one();
    }

    /// Waits until the query is abandoned. Only one may wait.
    pub(crate) async fn told(&self) {
        while !self.0.is_abandoned.load(Ordering::Relaxed) {
            self.0.changed.notified().await;
        }
    }

    /// Abandons the query when what is returned is dropped.
    pub(crate) fn when_dropped(&self) -> UntilDropped {
        UntilDropped(self.clone())
    }
}

/// Abandons a query when it is dropped.
#[derive(Debug)]
pub(crate) struct UntilDropped(Abandoned);

impl Drop for UntilDropped {
    fn drop(&mut self) {
        self.0.tell();
    }
}

/// It is no setting: nobody can see or change it.
impl ExtensionOptions for Abandoned {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        exec_err!("there is no setting {key}")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

impl ConfigExtension for Abandoned {
    const PREFIX: &'static str = "abandoned";
}
