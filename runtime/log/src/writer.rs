//! Group commit: everything that was pushed since the last commit goes to disk with one sync.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    AppendError, Batch, Done, Lsn, OpenError, PartitionId,
    disk::Disk,
    frame::{self, Position},
    recovery::{Recovered, SegmentInfo, recover},
    segment::{self, Header},
};

/// What a log has done so far.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Syncs of log files.
    pub syncs: AtomicU64,
    /// Bytes written to log files.
    pub bytes: AtomicU64,
    /// Batches made durable.
    pub batches: AtomicU64,
}

/// The writing end of a log, without a thread: `push` batches, then `commit` them.
pub struct LogWriter<D: Disk> {
    disk: D,
    segment_bytes: u64,
    file: D::File,
    /// Where the next frame goes.
    end: Position,
    /// Everything before this is on disk.
    synced: Position,
    /// Whether a frame on disk says so.
    is_sealed: bool,
    segments: Vec<SegmentInfo>,
    last_lsns: BTreeMap<PartitionId, Lsn>,
    trimmed: BTreeMap<PartitionId, Lsn>,
    pending: Vec<(Batch, Done)>,
    buffer: Vec<u8>,
    failure: Option<AppendError>,
    metrics: Arc<Metrics>,
}

/// The outcomes of a commit, for the caller to tell: in order, and when it holds no lock.
pub type Outcomes = Vec<(Done, Result<(), AppendError>)>;

impl<D: Disk> LogWriter<D> {
    /// Opens the log on a disk, or starts one. A segment is closed when it has `segment_bytes`.
    ///
    /// # Errors
    /// When the disk refuses, and when the log is damaged.
    pub fn open(disk: D, segment_bytes: u64) -> Result<Self, OpenError> {
        let Recovered { mut segments, last_lsns, active } = recover(&disk)?;
        let (file, end) = match active {
            Some((file, len)) => {
                let number = segments.last().map_or(1, |last| last.number);
                (file, Position { segment: number, offset: len })
            }
            None => {
                let what = "the first segment cannot be made".to_owned();
                let made = make_segment(&disk, 1, &last_lsns);
                segments.push(SegmentInfo { number: 1, last_lsns: BTreeMap::new() });
                made.map_err(|source| OpenError::Io { what, source })?
            }
        };
        Ok(Self {
            disk,
            segment_bytes,
            file,
            end,
            synced: end,
            is_sealed: false,
            segments,
            last_lsns,
            trimmed: BTreeMap::new(),
            pending: Vec::new(),
            buffer: Vec::new(),
            failure: None,
            metrics: Arc::default(),
        })
    }

    /// The disk it writes to.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// What it has done so far.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The last record of a partition, durable or not.
    pub fn last_lsn(&self, partition: PartitionId) -> Lsn {
        self.last_lsns.get(&partition).copied().unwrap_or_default()
    }

    pub(crate) fn segments_from(&self, partition: PartitionId, from: Lsn) -> Vec<u64> {
        let has = |segment: &&SegmentInfo| {
            segment.last_lsns.get(&partition).is_some_and(|last| *last >= from)
        };
        self.segments.iter().filter(has).map(|segment| segment.number).collect()
    }

    /// Takes a batch for the next commit.
    ///
    /// # Panics
    /// When it does not continue its partition.
    pub fn push(&mut self, batch: Batch, done: Done) {
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
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Writes and syncs everything pushed. The outcomes are to be told in order.
    pub fn commit(&mut self) -> Outcomes {
        let pending = std::mem::take(&mut self.pending);
        if self.failure.is_none()
            && let Err(error) = self.write(&pending)
        {
            self.failure = Some(AppendError { message: error.to_string() });
        }
        let outcome = match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        };
        pending.into_iter().map(|(_, done)| (done, outcome.clone())).collect()
    }

    /// Notes on disk that the last batches are synced, when nothing has followed them that could.
    ///
    /// # Errors
    /// When the disk refuses; nothing is appended after that.
    pub fn seal(&mut self) -> Result<(), AppendError> {
        if self.is_sealed || self.failure.is_some() {
            return self.failure.clone().map_or(Ok(()), Err);
        }
        self.buffer.clear();
        frame::encode_seal(self.synced, &mut self.buffer);
        self.write_buffer().map_err(|error| {
            let failure = AppendError { message: error.to_string() };
            self.failure = Some(failure.clone());
            failure
        })?;
        self.is_sealed = true;
        Ok(())
    }

    /// Records up to `upto` are no longer needed; segments that nobody needs go.
    pub fn trim(&mut self, partition: PartitionId, upto: Lsn) {
        self.trimmed.insert(partition, upto);
        while self.segments.len() > 1 {
            let is_needed = self.segments[0].last_lsns.iter().any(|(partition, last)| {
                self.trimmed.get(partition).is_none_or(|trimmed| trimmed < last)
            });
            if is_needed {
                return;
            }
            // One after the other for sure: after a crash the segments that are left have no gap. A
            // file that stays behind is removed by the next trim.
            let removed = self.disk.remove(&segment::file_name(self.segments[0].number));
            if removed.and_then(|()| self.disk.sync_dir()).is_err() {
                return;
            }
            self.segments.remove(0);
        }
    }

    fn write(&mut self, pending: &[(Batch, Done)]) -> io::Result<()> {
        if pending.iter().all(|(batch, _)| batch.records.is_empty()) {
            return Ok(()); // Barriers alone: what they wait for is on disk already.
        }
        if self.end.offset >= self.segment_bytes {
            self.roll(pending)?;
        }
        self.buffer.clear();
        let mut batches = 0;
        for (batch, _) in pending.iter().filter(|(batch, _)| !batch.records.is_empty()) {
            frame::encode_batch(batch, self.synced, &mut self.buffer);
            let last = Lsn(batch.first_lsn.0 + batch.records.len() as u64 - 1);
            if let Some(active) = self.segments.last_mut() {
                active.last_lsns.insert(batch.partition, last);
            }
            batches += 1;
        }
        self.write_buffer()?;
        self.is_sealed = false;
        self.metrics.batches.fetch_add(batches, Ordering::Relaxed);
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        self.disk.append(&mut self.file, &self.buffer)?;
        self.disk.sync(&mut self.file)?;
        self.end.offset += self.buffer.len() as u64;
        self.synced = self.end;
        self.metrics.bytes.fetch_add(self.buffer.len() as u64, Ordering::Relaxed);
        self.metrics.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Starts the next segment; everything in the last one is synced.
    fn roll(&mut self, pending: &[(Batch, Done)]) -> io::Result<()> {
        let mut last_lsns = self.last_lsns.clone();
        for (batch, _) in pending.iter().rev().filter(|(batch, _)| !batch.records.is_empty()) {
            last_lsns.insert(batch.partition, Lsn(batch.first_lsn.0 - 1));
        }
        let number = self.end.segment + 1;
        let (file, end) = make_segment(&self.disk, number, &last_lsns)?;
        (self.file, self.end, self.synced) = (file, end, end);
        self.segments.push(SegmentInfo { number, last_lsns: BTreeMap::new() });
        Ok(())
    }
}

fn make_segment<D: Disk>(
    disk: &D,
    number: u64,
    last_lsns: &BTreeMap<PartitionId, Lsn>,
) -> io::Result<(D::File, Position)> {
    let header = Header { number, last_lsns: last_lsns.clone() }.encode();
    let mut file = disk.create(&segment::file_name(number))?;
    disk.append(&mut file, &header)?;
    disk.sync(&mut file)?;
    disk.sync_dir()?;
    Ok((file, Position { segment: number, offset: header.len() as u64 }))
}
