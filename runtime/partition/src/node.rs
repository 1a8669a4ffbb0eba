//! A node's partitions: recovery, then one thread each.
//!
//! Recovery opens the tables at their last checkpoint, folds the log's tail onto them, drops the
//! effects of that fold, and derives the obligations that remain from the rows: messages to other
//! partitions, as these have memory for them, and attempts, oldest first, as the invoker has
//! capacity.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use protocol::ids::Derivation;
use runtime_core::{Partition, PartitionId, event::EventDecodeError};
use runtime_log::Log;
use runtime_store::{DiskSpace, Store};

use crate::{
    Partitions,
    checkpoint::Checkpoints,
    clock::Clock,
    cut::CutSource,
    dispatch::Dispatch,
    driver::{Driver, Folded, Settings, Surroundings, Turn, log_id},
    edges::Edges,
    handle,
    inbox::Inbox,
    lanes::Limits,
    observer::Observer,
    waiters::Waiters,
};

/// Why a node could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The tables of a partition cannot be used.
    #[error("partition {partition}: {source}")]
    Store {
        /// Number of the partition.
        partition: u16,
        /// Why the tables cannot be opened.
        source: runtime_store::OpenError,
    },
    /// The log cannot be read.
    #[error("partition {partition}: the log cannot be read: {source}")]
    Log {
        /// Number of the partition.
        partition: u16,
        /// The error of the log.
        source: runtime_log::ReadError,
    },
    /// A record cannot be decoded.
    #[error("partition {partition}: record {lsn} of the log: {source}")]
    Record {
        /// Number of the partition.
        partition: u16,
        /// LSN of the record.
        lsn: u64,
        /// The decoding error.
        source: EventDecodeError,
    },
    /// The tables are ahead of the log: they belong to another log, or the log has lost its tail.
    #[error(
        "partition {partition}: the tables are at record {applied}, but the log ends at {last}: \
         restore the log that belongs to these tables"
    )]
    TablesAheadOfLog {
        /// Number of the partition.
        partition: u16,
        /// LSN of the last record in the tables.
        applied: u64,
        /// LSN of the last record in the log.
        last: u64,
    },
    /// The tables are behind the log: they are older than what the log has kept, or empty.
    #[error(
        "partition {partition}: the tables are at record {applied}, but the log continues with record \
         {oldest}: restore the tables that belong to this log"
    )]
    TablesBehindLog {
        /// Number of the partition.
        partition: u16,
        /// LSN of the last record in the tables, or read from the log.
        applied: u64,
        /// LSN of the next record that the log has.
        oldest: u64,
    },
    /// The system could not start a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The recovered partitions of a node, and the handle to them.
pub struct Node {
    partitions: Partitions,
    cuts: CutSource,
    drivers: Vec<Driver>,
    threads: Vec<JoinHandle<()>>,
}

/// Everything that a node's partitions depend on.
pub struct Parts {
    /// The tables of each partition, by number.
    pub stores: Vec<Store>,
    /// The log of all partitions.
    pub log: Arc<dyn Log>,
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// How ids of named invocations are derived from their names, as recorded in the data
    /// directory.
    pub derivation: Derivation,
    /// Writes the checkpoints.
    pub checkpoints: Arc<dyn Checkpoints>,
    /// Notified of what is stored.
    pub observer: Option<Arc<dyn Observer>>,
    /// Limits of each partition's work.
    pub settings: Settings,
}

impl Node {
    /// Recovers all partitions. `edges` receives the handle to them and returns the edges, which
    /// are given the registry before anything else.
    ///
    /// # Errors
    /// Returns an error if the tables or the log cannot be used; nothing has been changed then.
    pub fn recover(
        parts: Parts,
        edges: impl FnOnce(Partitions) -> Arc<dyn Edges>,
    ) -> Result<Self, StartError> {
        let Parts { stores, log, clock, derivation, checkpoints, observer, settings } = parts;
        let count = handle::count_of(stores.len());
        let disk_space = DiskSpace::of(&stores);
        let cuts = CutSource::of(&log, &stores);
        let mut folded = Vec::with_capacity(stores.len());
        for (id, store) in (0..count).map(PartitionId).zip(stores) {
            let mut one = Folded::of(Partition { id, count, derivation }, store, &*log)?;
            clock.advance_past(one.stamp());
            // The log does not remember trims across restarts.
            log.trim(log_id(id), runtime_log::Lsn(one.checkpointed().0));
            folded.push(one);
        }
        let limits = Limits {
            peer_bytes_max: settings.peer_bytes_max,
            in_flight_bytes_max: settings.added_bytes_max.saturating_mul(2),
            small_bytes_max: settings.small_bytes_max,
        };
        let inboxes: Arc<[Arc<Inbox>]> =
            folded.iter().map(|_| Arc::new(Inbox::new(limits))).collect();
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
                disk_space: disk_space.clone(),
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
        note_owed_messages(&mut drivers, &inboxes);
        Ok(Self { partitions, cuts, drivers, threads: Vec::new() })
    }

    /// The handle to the partitions.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// Where copies of the running node are taken from.
    pub fn cuts(&self) -> &CutSource {
        &self.cuts
    }

    /// The partitions themselves, for callers that run their turns by hand.
    pub fn drivers_mut(&mut self) -> &mut [Driver] {
        &mut self.drivers
    }

    /// Starts a thread for every partition. Each calls `on_stopped` when its partition stops.
    ///
    /// # Errors
    /// Returns an error if the system cannot start a thread.
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
            // A panic of a partition was already reported where it happened.
            let _ = thread.join();
        }
    }
}

/// Time limit for the checkpoint that a stop writes: all partitions write theirs at the same time,
/// and the shutdown of the node waits for it.
const LAST_CHECKPOINT_MAX: Duration = Duration::from_secs(3);

/// An idle partition runs a turn at least this often, whatever it waits for.
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

/// Tells each partition which messages of the others were in flight; it asks for them as it has
/// memory.
fn note_owed_messages(drivers: &mut [Driver], inboxes: &[Arc<Inbox>]) {
    for driver in drivers {
        let from = driver.partition.id;
        for (to, inbox) in (0..).map(PartitionId).zip(inboxes).filter(|(to, _)| *to != from) {
            let (first, sent) =
                driver.tables(|tables| (tables.first_outgoing(to), tables.meta().sent_to(to)));
            let next = first.unwrap_or(sent + 1);
            inbox.put(|lanes| lanes.peers.starts(from, next, first.is_some()));
        }
    }
}

/// Path of a partition's file in the data directory.
pub fn store_file(data_dir: &std::path::Path, partition: u16) -> PathBuf {
    data_dir.join(format!("partition-{partition}.redb"))
}

#[cfg(test)]
mod tests;
