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
    frame::{self, Magic, Position},
    recovery::{Recovered, recover},
    room::{Options, Status, Trouble},
    segments::{Segment, Segments},
};

/// Frames are put together up to about this many bytes before they are written.
const PIECE_BYTES: usize = 1 << 20;

/// An idle log closes a segment that nobody needs when it has this many bytes, or as many as a segment
/// may have: so little is read in vain at the next start.
const CLOSE_BYTES: u64 = 1 << 20;

/// What a log has done so far.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Syncs of commits and seals.
    pub syncs: AtomicU64,
    /// Of these, syncs of seals.
    pub seals: AtomicU64,
    /// Bytes written to log files.
    pub bytes: AtomicU64,
    /// Batches made durable.
    pub batches: AtomicU64,
}

/// The writing end of a log, without a thread: `push` batches, then `commit` them.
pub(crate) struct LogWriter<D: Disk> {
    disk: Arc<D>,
    options: Options,
    active: Active<D::File>,
    /// Length at which the active segment is closed.
    close_at: u64,
    /// Whether everything in the log is named as synced.
    is_sealed: bool,
    segments: Segments,
    /// Last record of each partition that was pushed.
    last_lsns: BTreeMap<PartitionId, Lsn>,
    pending: Vec<(Batch, Done)>,
    buffer: Vec<u8>,
    failure: Option<AppendError>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
}

/// The outcomes of a commit, for the caller to tell: in order, and when it holds no lock.
pub(crate) type Outcomes = Vec<(Done, Result<(), AppendError>)>;

impl<D: Disk> LogWriter<D> {
    /// Opens the log on a disk, or starts one.
    pub(crate) fn open(
        disk: Arc<D>,
        options: Options,
        tables: &BTreeMap<PartitionId, Lsn>,
    ) -> Result<Self, OpenError> {
        let Recovered { segments, last_lsns, active } = recover(&*disk, &options, tables)?;
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
                let what = "no room can be allocated for the log".to_owned();
                Err(OpenError::Io { what, source })
            }
        }
    }

    /// What it has done so far.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What room it has.
    pub(crate) fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// The last record of a partition, durable or not.
    pub(crate) fn last_lsn(&self, partition: PartitionId) -> Lsn {
        self.last_lsns.get(&partition).copied().unwrap_or_default()
    }

    /// See [`crate::Log::oldest`].
    pub(crate) fn oldest(&self, partition: PartitionId) -> Lsn {
        self.segments.oldest(partition)
    }

    /// The segments that have records of a partition from `from` on, as far as they are durable.
    pub(crate) fn segments_with(&self, partition: PartitionId, from: Lsn) -> Vec<Segment> {
        self.segments.with(partition, from, self.active.end.offset)
    }

    /// Takes a batch for the next commit.
    ///
    /// # Panics
    /// When it does not continue its partition.
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

    /// Whether there is something to commit.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether everything that is durable is named as synced. A log that has failed says so too, as
    /// nothing more will be.
    pub(crate) fn is_sealed(&self) -> bool {
        self.is_sealed || self.failure.is_some()
    }

    /// Whether something is to be tried again: there was no room for it, or the disk refused.
    pub(crate) fn owes(&self) -> bool {
        self.failure.is_none()
            && (self.has_pending() || self.status.is_short() || self.segments.is_removal_owed())
    }

    /// Writes and syncs what was pushed, as far as there is room. The outcomes are to be told in
    /// order; a batch that waits for room has none yet, and stays pending with all that follow.
    pub(crate) fn commit(&mut self) -> Outcomes {
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

    /// Notes on disk that the last batches are synced, when nothing has followed them that could. A
    /// seal for which there is no room is left out: the log is not sealed then.
    ///
    /// # Errors
    /// When the disk refuses; nothing is appended after that.
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

    /// Records up to `upto` are no longer needed; segments that nobody needs go.
    ///
    /// # Panics
    /// When there are none up to there: what does not need them has something that is not in the log.
    pub(crate) fn trim(&mut self, partition: PartitionId, upto: Lsn) {
        let written = self.written(partition);
        assert!(
            upto <= written,
            "partition {} needs no record up to {}, and only those up to {} are written",
            partition.0,
            upto.0,
            written.0
        );
        self.segments.trim(partition, upto);
        self.tidy();
    }

    /// Tries again what is owed, except for what is to be committed.
    pub(crate) fn retry(&mut self) {
        self.tidy();
        if self.failure.is_none() && self.status.is_short() {
            match self.look_for_room() {
                // There may be room for the next segment too.
                Ok(()) => self.close_at = self.options.segment_bytes,
                Err(Trouble::Full) => (),
                Err(Trouble::Failed(error)) => drop(self.fail(&error)),
            }
        }
    }

    /// Where room cannot be allocated only a write can tell; what is pending is one, and a seal is the
    /// smallest when nothing is.
    fn look_for_room(&mut self) -> Result<(), Trouble> {
        self.make_room(0, 0)?;
        let is_known = self.active.room_bytes().is_some();
        if is_known || self.has_pending() { Ok(()) } else { self.write_seal() }
    }

    /// Removes what nobody needs. A failed log stays as it is: what is on its disk is not known.
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

    /// The last record of a partition that does not wait for the next commit.
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
        // Whoever appends next hears of it, so nobody may be kept from that by a disk that is full, too.
        self.status.set(false, u64::MAX);
        failure
    }

    /// After one failure nothing is written any more: what the disk shows may never have reached it, and
    /// whatever is written behind that would be acknowledged in vain.
    fn check_has_not_failed(&self, what: impl fmt::Display) {
        let Position { segment, offset } = self.active.end;
        assert!(
            self.failure.is_none(),
            "segment {segment} at offset {offset}: {what}, and the log has failed: {:?}",
            self.failure
        );
    }

    /// Writes the first batches that are pending, as many as there is room for; says how many.
    fn write_pending(&mut self) -> Result<usize, Trouble> {
        let mut bytes = self.pending.iter().map(|(batch, _)| frame::batch_bytes(batch)).sum();
        if bytes == 0 {
            return Ok(self.pending.len()); // Barriers alone: what they wait for is on disk already.
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
        // The end moves by what was synced: all that is about to be acknowledged, and nothing else.
        let end = self.active.end;
        assert!(
            end == Position { offset: start.offset + bytes, ..start },
            "{count} batches of {bytes} bytes are on disk from {start:?} on, which ends at {end:?}"
        );
        Ok(count)
    }

    /// How many of the pending batches fit the room that there is, and their bytes.
    fn fitting(&self) -> (usize, u64) {
        let Some(room) = self.active.room_bytes() else {
            unreachable!("segment {} is full, and has no room that ends", self.active.end.segment);
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

    /// Writes frames in pieces, and syncs them together.
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

    /// Writes what was put together. When there is no room for it nothing stays of the commit.
    fn write_buffer(&mut self) -> Result<u64, Trouble> {
        if self.buffer.is_empty() {
            return Ok(0);
        }
        self.check_has_not_failed("something is written");
        let written = match self.active.append(&*self.disk, &self.buffer) {
            Ok(()) => Ok(self.buffer.len() as u64),
            Err(Trouble::Full) => {
                // If it cannot be cut now it is before the next write.
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
        let stays_short = is_unknown && self.status.is_short(); // Until something was written.
        self.note_room(made.is_err() || stays_short || self.is_below_reserve());
        made
    }

    fn is_below_reserve(&self) -> bool {
        self.active.room_bytes().is_some_and(|room| room < self.options.reserve_bytes)
    }

    fn note_room(&self, is_short: bool) {
        // Where room cannot be allocated there is enough of it until a write meets a full disk.
        let unknown = if is_short { 0 } else { u64::MAX };
        let closing_bytes = self.options.closing_bytes();
        let room = self.active.room_bytes().map(|room| room.saturating_sub(closing_bytes));
        self.status.set(is_short, room.unwrap_or(unknown));
    }

    /// Closes a full segment, if there is room for the next one; otherwise it grows on.
    fn close_full(&mut self) -> Result<(), Trouble> {
        match self.close(true) {
            Err(Trouble::Full) => {
                self.close_at = self.active.end.offset + self.options.step_bytes;
                Ok(())
            }
            closed => closed,
        }
    }

    /// Closes the active segment when nobody needs anything in it, so that it can go. When the log is
    /// short that is done for the smallest, as it makes room.
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

    /// Starts the next segment; everything in the last one is synced.
    fn close(&mut self, needs_reserve: bool) -> Result<(), Trouble> {
        self.check_has_not_failed("another segment is begun");
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
        // Room that is not given back is lost until the segment is removed, nothing else.
        let _ = closed.give_back(&*self.disk);
        self.close_at = self.options.segment_bytes;
        self.is_sealed = true;
        self.check_active();
        self.note_room(self.is_below_reserve());
        Ok(())
    }

    /// What is written and what is read are the same segment.
    fn check_active(&self) {
        self.segments.check_active(Magic::Two(self.active.magic), self.active.end);
    }
}
