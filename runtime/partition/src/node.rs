//! A node's partitions: recovery, then one thread each.
//!
//! Recovery opens the tables at their last checkpoint, folds the log's tail onto them, drops the
//! effects of that fold, and derives from the rows what is still owed: messages between partitions
//! in the order of their stamps, then attempts, oldest first, as the invoker has room.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use protocol::ids::Derivation;
use runtime_core::{Partition, PartitionId, effect::Effect, event::EventDecodeError, obligations};
use runtime_log::Log;
use runtime_store::{Room, Store};

use crate::{
    Partitions,
    checkpoint::Checkpoints,
    clock::Clock,
    dispatch::Dispatch,
    driver::{Driver, Folded, Settings, Surroundings, Turn, log_id},
    edges::Edges,
    handle,
    inbox::Inbox,
    observer::Observer,
    waiters::Waiters,
};

/// A node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The tables of a partition can't be used.
    #[error("partition {partition}: {source}")]
    Store {
        /// Which partition.
        partition: u16,
        /// What is wrong.
        source: runtime_store::OpenError,
    },
    /// The log can't be read.
    #[error("partition {partition}: the log cannot be read: {source}")]
    Log {
        /// Which partition.
        partition: u16,
        /// What is wrong.
        source: runtime_log::ReadError,
    },
    /// A record can't be read back.
    #[error("partition {partition}: record {lsn} of the log: {source}")]
    Record {
        /// Which partition.
        partition: u16,
        /// Which record.
        lsn: u64,
        /// What is wrong.
        source: EventDecodeError,
    },
    /// The tables are ahead of the log: they belong to another log, or the log has lost its tail.
    #[error(
        "partition {partition}: the tables are at record {applied}, but the log ends at {last}: \
         restore the log that belongs to these tables"
    )]
    TablesAheadOfLog {
        /// Which partition.
        partition: u16,
        /// The last record in the tables.
        applied: u64,
        /// The last record of the log.
        last: u64,
    },
    /// The tables are behind the log: they are older than what it has kept, or new.
    #[error(
        "partition {partition}: the tables are at record {applied}, but the log goes on with record \
         {oldest}: restore the tables that belong to this log"
    )]
    TablesBehindLog {
        /// Which partition.
        partition: u16,
        /// The last record in the tables, or read from the log.
        applied: u64,
        /// The next one that there is.
        oldest: u64,
    },
    /// The system has no thread to give.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// The partitions of a node, recovered, and the way to reach them.
pub struct Node {
    partitions: Partitions,
    drivers: Vec<Driver>,
    threads: Vec<JoinHandle<()>>,
}

/// Everything a node's partitions stand on.
pub struct Parts {
    /// The tables of each partition, by number.
    pub stores: Vec<Store>,
    /// The log of all of them.
    pub log: Arc<dyn Log>,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// How ids of named invocations follow from their names, as the data directory says.
    pub derivation: Derivation,
    /// Who writes checkpoints.
    pub checkpoints: Arc<dyn Checkpoints>,
    /// Who is told what is stored.
    pub observer: Option<Arc<dyn Observer>>,
    /// Limits.
    pub settings: Settings,
}

impl Node {
    /// Recovers all partitions. `edges` gets the handle by which it reaches them; it is given the
    /// registry before anything else.
    ///
    /// # Errors
    /// When the tables or the log can't be used; nothing has been changed then.
    pub fn recover(
        parts: Parts,
        edges: impl FnOnce(Partitions) -> Arc<dyn Edges>,
    ) -> Result<Self, StartError> {
        let Parts { stores, log, clock, derivation, checkpoints, observer, settings } = parts;
        let count = handle::count_of(stores.len());
        let room = Room::of(&stores);
        let mut folded = Vec::with_capacity(stores.len());
        for (id, store) in (0..count).map(PartitionId).zip(stores) {
            let mut one = Folded::of(Partition { id, count, derivation }, store, &*log)?;
            clock.advance_past(one.stamp());
            // The log forgets what it was told when it stops.
            log.trim(log_id(id), runtime_log::Lsn(one.checkpointed().0));
            folded.push(one);
        }
        let inboxes: Arc<[Arc<Inbox>]> = folded.iter().map(|_| Arc::new(Inbox::new())).collect();
        let waiters: Vec<_> = folded.iter().map(|_| Arc::new(Waiters::default())).collect();
        let partitions = Partitions::new(Arc::clone(&inboxes), waiters.clone());
        let edges = edges(partitions.clone());
        let mut drivers = Vec::with_capacity(folded.len());
        for one in folded {
            let inbox = Arc::clone(&inboxes[usize::from(one.partition.id.0)]);
            let dispatch = Arc::new(Dispatch {
                partition: one.partition.id,
                edges: Arc::clone(&edges),
                waiters: Arc::clone(&waiters[usize::from(one.partition.id.0)]),
                inboxes: Arc::clone(&inboxes),
            });
            let surroundings = Surroundings {
                settings: settings.clone(),
                room: room.clone(),
                log: Arc::clone(&log),
                clock: Arc::clone(&clock),
                inbox,
                dispatch,
                checkpoints: Arc::clone(&checkpoints),
                observer: observer.clone(),
            };
            drivers.push(Driver::recover(one, surroundings));
        }
        if let Some(registry) = drivers.first_mut() {
            edges.publish_registry(registry.tables(|tables| tables.deployments()));
        }
        send_owed_messages(&mut drivers);
        Ok(Self { partitions, drivers, threads: Vec::new() })
    }

    /// The way to reach the partitions.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// The partitions themselves, for whoever turns them by hand.
    pub fn drivers_mut(&mut self) -> &mut [Driver] {
        &mut self.drivers
    }

    /// Gives every partition its thread. `on_stopped` is called by each one that stops.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn spawn(
        &mut self,
        on_stopped: impl Fn(PartitionId) + Clone + Send + 'static,
    ) -> Result<(), StartError> {
        for mut driver in self.drivers.drain(..) {
            let on_stopped = on_stopped.clone();
            let name = format!("partition-{}", driver.partition.id.0);
            let thread = thread::Builder::new().name(name).spawn(move || {
                run(&mut driver);
                on_stopped(driver.partition.id);
            })?;
            self.threads.push(thread);
        }
        Ok(())
    }

    /// Stops all partitions and waits for their threads.
    pub fn stop(self) {
        self.partitions.stop();
        for thread in self.threads {
            // A partition that panicked has said so; there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// How long the checkpoint may take that a stop writes: all partitions write theirs at the same time, and
/// what stops a node waits for it.
const LAST_CHECKPOINT_MAX: Duration = Duration::from_secs(3);

/// An idle partition looks around this often, whatever it waits for.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

fn run(driver: &mut Driver) {
    let mut patience = Duration::ZERO;
    loop {
        patience = match driver.turn(patience) {
            Turn::Worked { until: None } | Turn::Idle { until: None } => PATIENCE_MAX,
            Turn::Worked { until: Some(until) } | Turn::Idle { until: Some(until) } => {
                let now_us = driver.clock.now_us();
                let wait_us = until.0.saturating_mul(1000).saturating_sub(now_us);
                Duration::from_micros(wait_us).min(PATIENCE_MAX)
            }
            Turn::Stopped => return driver.close(LAST_CHECKPOINT_MAX),
            Turn::Failed => return,
        };
    }
}

/// Messages that were under way, of all partitions, in the order in which they were sent.
fn send_owed_messages(drivers: &mut [Driver]) {
    let mut owed = Vec::new();
    for (at, driver) in drivers.iter_mut().enumerate() {
        let messages =
            driver.tables(|tables| obligations::messages(tables, (PartitionId(0), 0), usize::MAX));
        owed.extend(messages.into_iter().map(|(stamp, effect)| (stamp, at, effect)));
    }
    owed.sort_by_key(|(stamp, _, _)| *stamp);
    for (_, at, effect) in owed {
        let effect: Effect = effect;
        drivers[at].dispatch.dispatch(vec![effect], None);
    }
}

/// Name of a partition's file in the data directory.
pub fn store_file(data_dir: &std::path::Path, partition: u16) -> PathBuf {
    data_dir.join(format!("partition-{partition}.redb"))
}

#[cfg(test)]
mod tests;
