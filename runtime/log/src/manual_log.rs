//! The log without a thread: its owner decides when it commits. [`crate::FileLog`] runs one on a
//! thread that commits whenever something is pending; simulations and tests commit by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    AppendError, Batch, Done, Hold, Log, LogOptions, Lsn, Metrics, OpenError, PartitionId, Records,
    disk::Disk, disk_space::Status, reader::Reader, writer::LogWriter,
};

/// A log that commits only when its owner calls [`ManualLog::commit`].
pub struct ManualLog<D: Disk> {
    disk: Arc<D>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    writer: Mutex<LogWriter<D>>,
}

impl<D: Disk> ManualLog<D> {
    /// Opens the log on a disk, or creates one. A plain number as `options` sets the segment size
    /// in bytes.
    ///
    /// # Errors
    /// Returns an error if a disk operation fails or the log is damaged.
    pub fn open(disk: D, options: impl Into<LogOptions>) -> Result<Self, OpenError> {
        Self::open_for(disk, options, &BTreeMap::new())
    }

    /// Like [`ManualLog::open`], for tables that already contain the records up to these LSNs.
    ///
    /// # Errors
    /// Also returns an error if the log does not continue from there; nothing has been changed
    /// then.
    pub fn open_for(
        disk: D,
        options: impl Into<LogOptions>,
        tables: &BTreeMap<PartitionId, Lsn>,
    ) -> Result<Self, OpenError> {
        let disk = Arc::new(disk);
        let writer = LogWriter::open(Arc::clone(&disk), options.into(), tables)?;
        Ok(Self::of(disk, writer))
    }

    /// Creates a log on an empty disk whose first records follow these, for tables that already
    /// contain the records up to them.
    ///
    /// # Errors
    /// Returns an error if a disk operation fails.
    pub fn create(
        disk: D,
        options: impl Into<LogOptions>,
        before: BTreeMap<PartitionId, Lsn>,
    ) -> Result<Self, OpenError> {
        let disk = Arc::new(disk);
        let writer = LogWriter::create(Arc::clone(&disk), options.into(), before)?;
        Ok(Self::of(disk, writer))
    }

    fn of(disk: Arc<D>, writer: LogWriter<D>) -> Self {
        let (status, metrics) = (Arc::clone(writer.status()), Arc::clone(writer.metrics()));
        Self { disk, status, metrics, writer: Mutex::new(writer) }
    }

    /// Whether any batch waits to be committed.
    pub fn has_pending(&self) -> bool {
        self.writer().has_pending()
    }

    /// Commits as many of the pending batches as the disk has space for, and calls `done` of every
    /// batch that is durable or never will be. Returns false if some batches still wait for disk
    /// space.
    pub fn commit(&self) -> bool {
        let (outcomes, is_done) = {
            let mut writer = self.writer();
            (writer.commit(), !writer.has_pending())
        };
        outcomes.into_iter().for_each(|(done, outcome)| done(outcome));
        is_done
    }

    /// Records on disk that the last batches are synced, as an idle log does, and closes the active
    /// segment if none of its records are needed. The log is left unchanged if there is no disk
    /// space for that.
    ///
    /// # Errors
    /// Returns an error if a disk operation fails; nothing is appended after that.
    pub fn seal(&self) -> Result<(), AppendError> {
        self.writer().seal()
    }

    /// Whether the synced position recorded on disk covers everything that is durable.
    pub fn is_sealed(&self) -> bool {
        self.writer().is_sealed()
    }

    /// Whether there is anything to retry; see [`ManualLog::retry`].
    pub fn owes(&self) -> bool {
        self.writer().owes()
    }

    /// Retries what failed: removing segments, allocating disk space, and committing the batches
    /// that wait for it.
    pub fn retry(&self) {
        self.writer().retry();
        if self.has_pending() {
            self.commit();
        }
    }

    /// Counters of what the log has done since it was opened.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    fn writer(&self) -> MutexGuard<'_, LogWriter<D>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Disk> Log for ManualLog<D> {
    fn append(&self, batch: Batch, done: Done) {
        batch.check();
        self.writer().push(batch, done);
    }

    fn read(&self, partition: PartitionId, from: Lsn) -> Records<'_> {
        let segments = self.writer().segments_with(partition, from);
        Box::new(Reader::new(&*self.disk, partition, from, segments))
    }

    fn last_lsn(&self, partition: PartitionId) -> Lsn {
        self.writer().last_lsn(partition)
    }

    fn oldest(&self, partition: PartitionId) -> Lsn {
        self.writer().oldest(partition)
    }

    fn trim(&self, partition: PartitionId, upto: Lsn) {
        self.writer().trim(partition, upto);
    }

    fn hold(&self) -> Hold {
        self.writer().hold()
    }

    fn durable(&self) -> Result<BTreeMap<PartitionId, Lsn>, AppendError> {
        self.writer().durable()
    }

    fn is_short(&self) -> bool {
        self.status.is_short()
    }

    fn room_bytes(&self) -> u64 {
        self.status.room_bytes()
    }
}
