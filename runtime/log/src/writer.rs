//! Group commit: everything that was pushed since the last commit goes to disk with one sync.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    AppendError, Batch, Done, Lsn, OpenError, PartitionId,
    active::{Active, Plan},
    disk::Disk,
    disk_space::{LogOptions, Status, Trouble},
    frame::{self, Magic, Position},
    hold::Hold,
    recovery::{Recovered, begin, recover},
    segment,
    segments::{Segment, Segments},
};

/// Frames are buffered up to about this many bytes before they are written.
const PIECE_BYTES: usize = 1 << 20;

/// An idle log closes a segment that is no longer needed once it has this many bytes, or as many as
/// a segment may have. This bounds what the next start reads needlessly.
const CLOSE_BYTES: u64 = 1 << 20;

/// Counters of what a log has done since it was opened.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Syncs for commits and seals.
    pub syncs: AtomicU64,
    /// How many of those syncs were for seals.
    pub seals: AtomicU64,
    /// Bytes written to log files.
    pub bytes: AtomicU64,
    /// Batches made durable.
    pub batches: AtomicU64,
}

/// The writing side of a log, without a thread: `push` batches, then `commit` them.
pub(crate) struct LogWriter<D: Disk> {
    disk: Arc<D>,
    options: LogOptions,
    active: Active<D::File>,
    /// Length at which the active segment is closed.
    close_at: u64,
    /// Whether the synced position recorded on disk covers the whole log.
    is_sealed: bool,
    segments: Segments,
    /// LSN of the last record that was pushed, for each partition.
    last_lsns: BTreeMap<PartitionId, Lsn>,
    pending: Vec<(Batch, Done)>,
    buffer: Vec<u8>,
    failure: Option<AppendError>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
}

/// The outcomes of a commit. The caller reports them in order, and without holding a lock.
pub(crate) type Completions = Vec<(Done, Result<(), AppendError>)>;

impl<D: Disk> LogWriter<D> {
    /// Opens the log on a disk, or creates one.
    pub(crate) fn open(
        disk: Arc<D>,
        options: LogOptions,
        tables: &BTreeMap<PartitionId, Lsn>,
    ) -> Result<Self, OpenError> {
        let recovered = recover(&*disk, &options, tables)?;
        Self::go_on(disk, options, recovered)
    }

    /// Creates a log whose first records follow these.
    pub(crate) fn create(
        disk: Arc<D>,
        options: LogOptions,
        before: BTreeMap<PartitionId, Lsn>,
    ) -> Result<Self, OpenError> {
        let names = disk.list().map_err(|source| OpenError::Io {
            what: "the log's directory cannot be listed".to_owned(),
            source,
        })?;
        if let Some(name) = names.iter().find(|name| segment::number_of(name).is_some()) {
            let what = format!("a log cannot be created where there is {name}");
            return Err(OpenError::Io { what, source: io::ErrorKind::AlreadyExists.into() });
        }
        let begun = begin(&*disk, &options, before)?;
        Self::go_on(disk, options, begun)
    }

    fn go_on(
        disk: Arc<D>,
        options: LogOptions,
        recovered: Recovered<D::File>,
    ) -> Result<Self, OpenError> {
        let Recovered { segments, last_lsns, active } = recovered;
        let mut writer = Self {
            disk,
            options,
            active,
            close_at: options.segment_bytes,
            is_sealed: true,
            segments,
            last_lsns,
            pending: Vec::new(),
            buffer: Vec::new(),
            failure: None,
            status: Arc::default(),
            metrics: Arc::default(),
        };
        writer.check_active();
        match writer.make_room(0, 0) {
            Ok(()) | Err(Trouble::Full) => Ok(writer),
            Err(Trouble::Failed(source)) => {
                let what = "disk space for the log cannot be allocated".to_owned();
                Err(OpenError::Io { what, source })
            }
        }
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(crate) fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// LSN of the last record of a partition, durable or not.
    pub(crate) fn last_lsn(&self, partition: PartitionId) -> Lsn {
        self.last_lsns.get(&partition).copied().unwrap_or_default()
    }

    /// See [`crate::Log::oldest`].
    pub(crate) fn oldest(&self, partition: PartitionId) -> Lsn {
        self.segments.oldest(partition)
    }

    /// See [`crate::Log::hold`].
    pub(crate) fn hold(&self) -> Hold {
        self.segments.hold()
    }

    /// See [`crate::Log::durable`].
    pub(crate) fn durable(&self) -> Result<BTreeMap<PartitionId, Lsn>, AppendError> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(self.last_lsns.keys().map(|id| (*id, self.written(*id))).collect()),
        }
    }

    /// The segments that hold durable records of a partition from `from` on.
    pub(crate) fn segments_with(&self, partition: PartitionId, from: Lsn) -> Vec<Segment> {
        self.segments.with(partition, from, self.active.end.offset)
    }

    /// Queues a batch for the next commit.
    ///
    /// # Panics
    /// Panics if the batch does not continue its partition.
    pub(crate) fn push(&mut self, batch: Batch, done: Done) {
        let last = self.last_lsns.entry(batch.partition).or_default();
        assert!(
            batch.records.is_empty() || batch.first_lsn.0 == last.0 + 1,
            "record {} of partition {} is appended after {}",
            batch.first_lsn.0,
            batch.partition.0,
            last.0
        );
        last.0 += batch.records.len() as u64;
        self.pending.push((batch, done));
    }

    /// Whether any batch waits to be committed.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether the synced position recorded on disk covers everything that is durable. Also true
    /// for a log that has failed, since it writes nothing more.
    pub(crate) fn is_sealed(&self) -> bool {
        self.is_sealed || self.failure.is_some()
    }

    /// Whether anything has to be retried because the disk was full or returned an error.
    pub(crate) fn owes(&self) -> bool {
        self.failure.is_none()
            && (self.has_pending() || self.status.is_short() || self.segments.is_removal_owed())
    }

    /// Writes and syncs as many of the pending batches as there is space for. The caller has to
    /// report the outcomes in order. A batch that waits for space has no outcome yet, and stays
    /// pending along with all batches after it.
    pub(crate) fn commit(&mut self) -> Completions {
        let written = match &self.failure {
            Some(_) => Ok(self.pending.len()),
            None => self.write_pending(),
        };
        let count = match written {
            Ok(count) => count,
            Err(Trouble::Full) => 0,
            Err(Trouble::Failed(error)) => {
                self.fail(&error);
                self.pending.len()
            }
        };
        let outcome = self.failure.clone().map_or(Ok(()), Err);
        self.pending.drain(..count).map(|(_, done)| (done, outcome.clone())).collect()
    }

    /// Records on disk that the last batches are synced, for when no later frame does so. Skipped
    /// if there is no space for a seal: the log is not sealed then.
    ///
    /// # Errors
    /// Returns an error if a disk operation fails; nothing is appended after that.
    pub(crate) fn seal(&mut self) -> Result<(), AppendError> {
        let sealed = match &self.failure {
            Some(failure) => return Err(failure.clone()),
            None if self.is_sealed => Ok(()),
            None => self.write_seal(),
        };
        match sealed.and_then(|()| self.close_trimmed()) {
            Ok(()) | Err(Trouble::Full) => Ok(()),
            Err(Trouble::Failed(error)) => Err(self.fail(&error)),
        }
    }

    /// Marks records up to `upto` as no longer needed and removes the segments that nothing needs.
    ///
    /// # Panics
    /// Panics if those records are not written yet: the tables would contain something that is not
    /// in the log.
    pub(crate) fn trim(&mut self, partition: PartitionId, upto: Lsn) {
        let written = self.written(partition);
        assert!(
            upto <= written,
            "partition {} is trimmed up to record {}, but only records up to {} are written",
            partition.0,
            upto.0,
            written.0
        );
        self.segments.trim(partition, upto);
        self.tidy();
    }

    /// Retries everything outstanding, except for the pending commit.
    pub(crate) fn retry(&mut self) {
        self.tidy();
        if self.failure.is_none() && self.status.is_short() {
            match self.look_for_room() {
                // There may be space for the next segment too.
                Ok(()) => self.close_at = self.options.segment_bytes,
                Err(Trouble::Full) => (),
                Err(Trouble::Failed(error)) => drop(self.fail(&error)),
            }
        }
    }

    /// Where space cannot be allocated, only a write can find out whether there is any. A pending
    /// batch is such a write; without one, a seal is the smallest.
    fn look_for_room(&mut self) -> Result<(), Trouble> {
        self.make_room(0, 0)?;
        let is_known = self.active.room_bytes().is_some();
        if is_known || self.has_pending() { Ok(()) } else { self.write_seal() }
    }

    /// Removes what is no longer needed. A failed log is left as it is, because the state of its
    /// disk is unknown.
    fn tidy(&mut self) {
        if self.failure.is_some() {
            return;
        }
        self.segments.remove_trimmed(&*self.disk);
        let is_waiting = self.status.is_short() && self.has_pending();
        if (self.is_sealed && !self.has_pending()) || is_waiting {
            match self.close_trimmed() {
                Ok(()) | Err(Trouble::Full) => (),
                Err(Trouble::Failed(error)) => drop(self.fail(&error)),
            }
        }
    }

    /// LSN of the last record of a partition that does not wait for the next commit.
    fn written(&self, partition: PartitionId) -> Lsn {
        let is_of_it = |batch: &&Batch| batch.partition == partition && !batch.records.is_empty();
        let waiting = self.pending.iter().map(|(batch, _)| batch).find(is_of_it);
        match waiting {
            Some(batch) => Lsn(batch.first_lsn.0 - 1),
            None => self.last_lsn(partition),
        }
    }

    fn fail(&mut self, error: &io::Error) -> AppendError {
        self.check_has_not_failed(error);
        let failure = AppendError { message: error.to_string() };
        self.failure = Some(failure.clone());
        // The next append returns the failure, so a disk that is also full must not keep callers
        // from appending.
        self.status.set(false, u64::MAX);
        failure
    }

    /// After one failure nothing is written any more: what the disk returns may never have reached
    /// it, and records written after that would be acknowledged but could not be recovered.
    fn check_has_not_failed(&self, what: impl fmt::Display) {
        let Position { segment, offset } = self.active.end;
        assert!(
            self.failure.is_none(),
            "segment {segment} at offset {offset}: {what}, but the log has failed: {:?}",
            self.failure
        );
    }

    /// Writes as many of the first pending batches as there is space for; returns how many.
    fn write_pending(&mut self) -> Result<usize, Trouble> {
        let mut bytes = self.pending.iter().map(|(batch, _)| frame::batch_bytes(batch)).sum();
        if bytes == 0 {
            return Ok(self.pending.len()); // Only barriers: what they wait for is already on disk.
        }
        self.active.mend(&*self.disk)?;
        if self.active.end.offset >= self.close_at {
            self.close_full()?;
        }
        let mut count = self.pending.len();
        match self.make_room(bytes, self.options.closing_bytes()) {
            Ok(()) => (),
            Err(Trouble::Full) => (count, bytes) = self.fitting(),
            Err(failed) => return Err(failed),
        }
        if count == 0 {
            return Err(Trouble::Full);
        }
        let start = self.active.end;
        self.write_batches(count)?;
        // The end advances by exactly what was synced and is about to be acknowledged.
        let end = self.active.end;
        assert!(
            end == Position { offset: start.offset + bytes, ..start },
            "{count} batches of {bytes} bytes were written from {start:?} on, but the segment ends at {end:?}"
        );
        Ok(count)
    }

    /// How many of the pending batches fit into the available space, and their size in bytes.
    fn fitting(&self) -> (usize, u64) {
        let Some(room) = self.active.room_bytes() else {
            unreachable!(
                "segment {} is full, but its allocated space is unknown",
                self.active.end.segment
            );
        };
        let room = room.saturating_sub(self.options.closing_bytes());
        let (mut count, mut bytes) = (0, 0);
        for (batch, _) in &self.pending {
            let with_it = bytes + frame::batch_bytes(batch);
            if with_it > room {
                break;
            }
            (count, bytes) = (count + 1, with_it);
        }
        (count, bytes)
    }

    fn write_batches(&mut self, count: usize) -> Result<(), Trouble> {
        let pending = std::mem::take(&mut self.pending);
        let batches = || pending[..count].iter().map(|(batch, _)| batch);
        let written = self.write_frames(batches().filter(|batch| !batch.records.is_empty()));
        if written.is_ok() {
            for batch in batches().filter(|batch| !batch.records.is_empty()) {
                let last = Lsn(batch.first_lsn.0 + batch.records.len() as u64 - 1);
                self.segments.wrote(batch.partition, batch.first_lsn, last);
                self.metrics.batches.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.pending = pending;
        written
    }

    /// Writes frames in pieces and syncs them together.
    fn write_frames<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a Batch>,
    ) -> Result<(), Trouble> {
        let mut written = 0;
        self.buffer.clear();
        for batch in batches {
            frame::encode_batch(self.active.magic, batch, self.active.end, &mut self.buffer);
            if self.buffer.len() >= PIECE_BYTES {
                written += self.write_buffer()?;
            }
        }
        written += self.write_buffer()?;
        if written > 0 {
            self.sync(written)?;
            self.is_sealed = false;
        }
        Ok(())
    }

    fn write_seal(&mut self) -> Result<(), Trouble> {
        self.active.mend(&*self.disk)?;
        self.buffer.clear();
        frame::encode_seal(self.active.magic, self.active.end, &mut self.buffer);
        self.make_room(self.buffer.len() as u64, 0)?;
        let written = self.write_buffer()?;
        self.sync(written)?;
        self.metrics.seals.fetch_add(1, Ordering::Relaxed);
        self.is_sealed = true;
        Ok(())
    }

    /// Writes the buffered frames. If they do not fit, nothing of the commit remains.
    fn write_buffer(&mut self) -> Result<u64, Trouble> {
        if self.buffer.is_empty() {
            return Ok(0);
        }
        self.check_has_not_failed("frames are written");
        let written = match self.active.append(&*self.disk, &self.buffer) {
            Ok(()) => Ok(self.buffer.len() as u64),
            Err(Trouble::Full) => {
                // If truncating fails now, it is repeated before the next write.
                let _ = self.active.mend(&*self.disk);
                self.note_room(true);
                Err(Trouble::Full)
            }
            Err(failed) => Err(failed),
        };
        self.buffer.clear();
        self.buffer.shrink_to(2 * PIECE_BYTES);
        written
    }

    fn sync(&mut self, written: u64) -> Result<(), Trouble> {
        self.active.sync(&*self.disk, written)?;
        self.note_room(self.is_below_reserve());
        self.metrics.bytes.fetch_add(written, Ordering::Relaxed);
        self.metrics.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn make_room(&mut self, bytes: u64, left: u64) -> Result<(), Trouble> {
        let made = self.active.make_room(&*self.disk, bytes, left, &self.options);
        let is_unknown = self.active.room_bytes().is_none();
        let stays_short = is_unknown && self.status.is_short(); // Until a write succeeds.
        self.note_room(made.is_err() || stays_short || self.is_below_reserve());
        made
    }

    fn is_below_reserve(&self) -> bool {
        self.active.room_bytes().is_some_and(|room| room < self.options.reserve_bytes)
    }

    fn note_room(&self, is_short: bool) {
        // Where space cannot be allocated, assume that there is enough until a write hits a full
        // disk.
        let unknown = if is_short { 0 } else { u64::MAX };
        let closing_bytes = self.options.closing_bytes();
        let room = self.active.room_bytes().map(|room| room.saturating_sub(closing_bytes));
        self.status.set(is_short, room.unwrap_or(unknown));
    }

    /// Closes a full segment if there is space for the next one; otherwise it keeps growing.
    fn close_full(&mut self) -> Result<(), Trouble> {
        match self.close(true) {
            Err(Trouble::Full) => {
                self.close_at = self.active.end.offset + self.options.step_bytes;
                Ok(())
            }
            closed => closed,
        }
    }

    /// Closes the segment being written if none of its records are needed, so that it can be
    /// removed. A log that is short of space closes even the smallest segment, because that frees
    /// space.
    fn close_trimmed(&mut self) -> Result<(), Trouble> {
        let least = if self.status.is_short() { 0 } else { CLOSE_BYTES };
        let is_grown = self.active.end.offset >= least.min(self.options.segment_bytes);
        if !self.segments.is_active_done() || !is_grown {
            return Ok(());
        }
        self.active.mend(&*self.disk)?;
        if self.status.is_short() {
            self.active.give_back(&*self.disk)?;
        }
        let closed = self.close(false);
        self.segments.remove_trimmed(&*self.disk);
        self.make_room(0, 0).and(closed)
    }

    /// Starts the next segment. Everything in the current one is synced.
    fn close(&mut self, needs_reserve: bool) -> Result<(), Trouble> {
        self.check_has_not_failed("another segment is started");
        let mut last_lsns = self.last_lsns.clone();
        for (batch, _) in self.pending.iter().rev().filter(|(batch, _)| !batch.records.is_empty()) {
            last_lsns.insert(batch.partition, Lsn(batch.first_lsn.0 - 1));
        }
        self.segments.check_closing(&last_lsns);
        let (number, partitions) = (self.active.end.segment + 1, last_lsns.len());
        let predecessor_bytes = self.active.end.offset;
        let plan = Plan { number, predecessor_bytes, last_lsns, carried_bytes: 0, needs_reserve };
        let next = Active::make(&*self.disk, &plan, &self.options, |_| Ok(()))?;
        let segment = Segment::new(number, next.magic, partitions, BTreeMap::new());
        self.segments.begin(predecessor_bytes, segment);
        let mut closed = std::mem::replace(&mut self.active, next);
        // If this fails, the space is lost until the segment is removed, but nothing else is.
        let _ = closed.give_back(&*self.disk);
        self.close_at = self.options.segment_bytes;
        self.is_sealed = true;
        self.check_active();
        self.note_room(self.is_below_reserve());
        Ok(())
    }

    /// Checks that the segment being written is the last one that readers see.
    fn check_active(&self) {
        self.segments.check_active(Magic::Two(self.active.magic), self.active.end);
    }
}
