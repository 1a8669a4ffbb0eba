//! The log without a thread: its owner decides when it commits. [`crate::FileLog`] is one on a thread that
//! commits whenever something is pending; simulations and tests commit it by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    AppendError, Batch, Done, Log, Lsn, Metrics, OpenError, Options, PartitionId, Records,
    disk::Disk, reader::Reader, room::Status, writer::LogWriter,
};

/// The log.
pub struct ManualLog<D: Disk> {
    disk: Arc<D>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    writer: Mutex<LogWriter<D>>,
}

impl<D: Disk> ManualLog<D> {
    /// Opens the log on a disk, or starts one; a number alone is that of bytes in a segment.
    ///
    /// # Errors
    /// When the disk refuses, and when the log is damaged.
    pub fn open(disk: D, options: impl Into<Options>) -> Result<Self, OpenError> {
        Self::open_for(disk, options, &BTreeMap::new())
    }

    /// The same for tables that have so much already.
    ///
    /// # Errors
    /// Also when the log does not go on from there; nothing has been changed then.
    pub fn open_for(
        disk: D,
        options: impl Into<Options>,
        tables: &BTreeMap<PartitionId, Lsn>,
    ) -> Result<Self, OpenError> {
        let disk = Arc::new(disk);
        let writer = LogWriter::open(Arc::clone(&disk), options.into(), tables)?;
        let (status, metrics) = (Arc::clone(writer.status()), Arc::clone(writer.metrics()));
        Ok(Self { disk, status, metrics, writer: Mutex::new(writer) })
    }

    /// Whether there is something to commit.
    pub fn has_pending(&self) -> bool {
        self.writer().has_pending()
    }

    /// Commits what was appended, as far as there is room for it, and tells everybody whose batch is
    /// durable or never will be. False when something still waits for room.
    pub fn commit(&self) -> bool {
        let (outcomes, is_done) = {
            let mut writer = self.writer();
            (writer.commit(), !writer.has_pending())
        };
        outcomes.into_iter().for_each(|(done, outcome)| done(outcome));
        is_done
    }

    /// Notes on disk that the last batches are synced, as an idle log does; and closes a segment that
    /// nobody needs. Without room for that the log stays as it is.
    ///
    /// # Errors
    /// When the disk refuses; nothing is appended after that.
    pub fn seal(&self) -> Result<(), AppendError> {
        self.writer().seal()
    }

    /// Whether everything that is durable is named as synced by something on disk.
    pub fn is_sealed(&self) -> bool {
        self.writer().is_sealed()
    }

    /// Whether something is to be tried again: see [`ManualLog::retry`].
    pub fn owes(&self) -> bool {
        self.writer().owes()
    }

    /// Tries again what did not work: to remove segments, to get room, to commit what waits for it.
    pub fn retry(&self) {
        self.writer().retry();
        if self.has_pending() {
            self.commit();
        }
    }

    /// What the log has done so far.
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

    fn is_short(&self) -> bool {
        self.status.is_short()
    }

    fn room_bytes(&self) -> u64 {
        self.status.room_bytes()
    }
}
