//! How a driver is created: the tables at their last checkpoint, with the log's tail folded onto
//! them.

use std::collections::BTreeMap;
use std::sync::Arc;

use runtime_core::{
    Lsn, Partition, PartitionId,
    event::Record,
    obligations,
    tables::{Overlay, Tables},
    time::{Stamp, Timestamp},
};
use runtime_log::Log;
use runtime_store::{DiskSpace, Store};

use super::{Counts, Driver, Settings, log_id, refused_starts::RefusedStarts, set_aside::SetAside};
use crate::{
    StartError,
    checkpoint::{Checkpoints, Schedule},
    clock::Clock,
    dispatch::Dispatch,
    durable::Durable,
    inbox::Inbox,
    observer::Observer,
};

/// A partition's rows, as of the last record of its log. Nothing has been changed on disk yet.
pub(crate) struct Folded {
    pub(crate) partition: Partition,
    store: Store,
    live: Overlay,
    applied: Lsn,
}

/// What a partition works with in addition to its rows.
pub(crate) struct Surroundings {
    pub(crate) settings: Settings,
    /// Disk space of the stores of the whole node.
    pub(crate) disk_space: DiskSpace,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) checkpoints: Arc<dyn Checkpoints>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Folded {
    /// Folds the log's tail onto the tables.
    ///
    /// # Errors
    /// Returns an error if log and tables do not belong together, or a record cannot be read.
    pub(crate) fn of(
        partition: Partition,
        store: Store,
        log: &dyn Log,
    ) -> Result<Self, StartError> {
        let (live, applied) = fold(partition, &store, log)?;
        Ok(Self { partition, store, live, applied })
    }

    /// Stamp of the last record.
    pub(crate) fn stamp(&mut self) -> Stamp {
        Tables::new(&mut self.live, self.store.base()).meta().stamp
    }

    /// LSN of the last record in the tables; the log need not keep the records up to it.
    pub(crate) fn checkpointed(&self) -> Lsn {
        self.store.applied()
    }
}

impl Driver {
    /// Creates a driver that continues where the log ends. Remaining obligations are derived from
    /// the rows.
    pub(crate) fn recover(folded: Folded, surroundings: Surroundings) -> Self {
        let Folded { partition, store, mut live, applied } = folded;
        let Surroundings {
            settings,
            disk_space,
            log,
            clock,
            inbox,
            dispatch,
            checkpoints,
            observer,
        } = surroundings;
        let mut tables = Tables::new(&mut live, store.base());
        let next_timer = tables.next_timer(Timestamp(0));
        let next_expiry = tables.next_expiry(Timestamp(0)).map(|(at, _, _)| at);
        let results_due = obligations::results(&tables).into_iter().collect();
        let schedule = Schedule::new(&settings, clock.now_us());
        Self {
            partition,
            settings,
            live,
            store,
            disk_space,
            log,
            clock,
            inbox,
            dispatch,
            checkpoints,
            schedule,
            applied,
            durable: Arc::new(Durable::new(partition.id, applied)),
            next_timer,
            next_expiry,
            refused_starts: RefusedStarts::after_recovery(applied),
            resending: BTreeMap::new(),
            results_due,
            set_aside: SetAside::default(),
            may_bring_one: true,
            holders: Vec::new(),
            observer,
            counts: Counts::default(),
            is_overpromised: false,
            held_since_us: None,
        }
    }
}

/// Folds the log's tail onto the tables. The effects of the fold are dropped, because the remaining
/// obligations are derived from the rows.
fn fold(partition: Partition, store: &Store, log: &dyn Log) -> Result<(Overlay, Lsn), StartError> {
    let id = partition.id.0;
    let mut live = Overlay::default();
    let mut applied = store.applied();
    let last = log.last_lsn(log_id(partition.id));
    if applied.0 > last.0 {
        return Err(StartError::TablesAheadOfLog {
            partition: id,
            applied: applied.0,
            last: last.0,
        });
    }
    let mut effects = Vec::new();
    let mut tables = Tables::new(&mut live, store.base());
    tables.tally_if_missing();
    for stored in log.read(log_id(partition.id), runtime_log::Lsn(applied.0 + 1)) {
        let (lsn, payload) = stored.map_err(|source| StartError::Log { partition: id, source })?;
        check_next(partition.id, applied, lsn.0)?;
        let record = Record::decode(Lsn(lsn.0), &payload).map_err(|source| StartError::Record {
            partition: id,
            lsn: lsn.0,
            source,
        })?;
        partition.apply(&mut tables, &record, &mut effects);
        effects.clear();
        applied = record.lsn;
    }
    check_next(partition.id, applied, last.0 + 1)?;
    Ok((live, applied))
}

/// Checks that no record is missing: those that were trimmed have to be in the tables.
fn check_next(partition: PartitionId, applied: Lsn, oldest: u64) -> Result<(), StartError> {
    let (partition, applied) = (partition.0, applied.0);
    if oldest == applied + 1 {
        return Ok(());
    }
    Err(StartError::TablesBehindLog { partition, applied, oldest })
}
