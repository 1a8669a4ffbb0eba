//! A log without a thread: whoever owns it decides when it commits. For simulations and tests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::{
    Batch, Done, Log, Lsn, OpenError, PartitionId, ReadError, Records,
    disk::Disk,
    frame,
    segment::{self, Header},
    writer::LogWriter,
};

/// The log.
pub struct ManualLog<D: Disk>(Mutex<LogWriter<D>>);

impl<D: Disk> ManualLog<D> {
    /// Opens the log on a disk, or starts one.
    ///
    /// # Errors
    /// When the disk refuses, and when the log is damaged.
    pub fn open(disk: D, segment_bytes: u64) -> Result<Self, OpenError> {
        Ok(Self(Mutex::new(LogWriter::open(disk, segment_bytes)?)))
    }

    /// Whether there is something to commit.
    pub fn has_pending(&self) -> bool {
        self.writer().has_pending()
    }

    /// Commits what was appended, and tells everybody.
    pub fn commit(&self) {
        let outcomes = self.writer().commit();
        outcomes.into_iter().for_each(|(done, outcome)| done(outcome));
    }

    /// See [`LogWriter::seal`].
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn seal(&self) -> Result<(), crate::AppendError> {
        self.writer().seal()
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, LogWriter<D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Disk> Log for ManualLog<D> {
    fn append(&self, batch: Batch, done: Done) {
        self.writer().push(batch, done);
    }

    fn read(&self, partition: PartitionId, from: Lsn) -> Records<'_> {
        let segments = self.writer().segments_from(partition, from);
        let records = segments.into_iter().flat_map(move |number| {
            let writer = self.writer();
            match read_segment(writer.disk(), number, partition, from) {
                Ok(records) => records.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            }
        });
        Box::new(records)
    }

    fn last_lsn(&self, partition: PartitionId) -> Lsn {
        self.writer().last_lsn(partition)
    }

    fn trim(&self, partition: PartitionId, upto: Lsn) {
        self.writer().trim(partition, upto);
    }
}

/// The records of one partition in one segment.
fn read_segment<D: Disk>(
    disk: &D,
    number: u64,
    partition: PartitionId,
    from: Lsn,
) -> Result<Vec<(Lsn, Bytes)>, ReadError> {
    let file = segment::file_name(number);
    let bytes = match disk.read(&file) {
        Ok(bytes) => Bytes::from(bytes),
        Err(source) => return Err(ReadError::Io { file, source }),
    };
    let damaged = |offset: usize| ReadError::Damaged { file: file.clone(), offset: offset as u64 };
    let (_, mut offset) = Header::decode(&bytes).map_err(|_| damaged(0))?;
    let mut records = Vec::new();
    while offset < bytes.len() {
        let frame = frame::decode(&bytes.slice(offset..)).map_err(|_| damaged(offset))?;
        offset += frame.len;
        let Some(batch) = frame.batch.filter(|batch| batch.partition == partition) else {
            continue;
        };
        let lsns = (batch.first_lsn.0..).map(Lsn);
        records.extend(lsns.zip(batch.records).filter(|(lsn, _)| *lsn >= from));
    }
    Ok(records)
}
