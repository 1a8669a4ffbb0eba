//! Reads records back, one chunk at a time.

use std::vec;

use bytes::Bytes;

use crate::{
    Lsn, PartitionId, ReadError,
    disk::Disk,
    scan::{Flaw, Frames},
    segment,
    segments::Segment,
};

/// The records of one partition, starting at an LSN.
pub(crate) struct Reader<'a, D> {
    disk: &'a D,
    partition: PartitionId,
    from: Lsn,
    segments: vec::IntoIter<Segment>,
    /// The segment being read, and its frames.
    current: Option<(u64, Frames<'a, D>)>,
    /// Records of the current frame that have not been returned yet.
    records: vec::IntoIter<Bytes>,
    next_lsn: Lsn,
}

impl<'a, D: Disk> Reader<'a, D> {
    pub(crate) fn new(
        disk: &'a D,
        partition: PartitionId,
        from: Lsn,
        segments: Vec<Segment>,
    ) -> Self {
        let (segments, records) = (segments.into_iter(), Vec::new().into_iter());
        Self { disk, partition, from, segments, current: None, records, next_lsn: Lsn(0) }
    }

    /// Advances to the partition's next frame; returns false at the end.
    fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            let Some((number, frames)) = &mut self.current else {
                let Some(next) = self.segments.next() else { return Ok(false) };
                let name = segment::file_name(next.number);
                let frames = Frames::new(self.disk, &name, next.magic, next.start, next.end);
                self.current = Some((next.number, frames));
                continue;
            };
            match frames.read() {
                None => self.current = None,
                Some(Ok(frame)) => {
                    if let Some(batch) = frame.batch.filter(|it| it.partition == self.partition) {
                        self.next_lsn = batch.first_lsn;
                        self.records = batch.records.into_iter();
                        return Ok(true);
                    }
                }
                Some(Err(flaw)) => {
                    let (file, offset) = (segment::file_name(*number), frames.offset());
                    return Err(match flaw {
                        Flaw::Io(source) => ReadError::Io { file, source },
                        Flaw::Broken(_) => ReadError::Damaged { file, offset },
                    });
                }
            }
        }
    }
}

impl<D: Disk> Iterator for Reader<'_, D> {
    type Item = Result<(Lsn, Bytes), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.records.next() {
                let lsn = self.next_lsn;
                self.next_lsn = Lsn(lsn.0 + 1);
                if lsn >= self.from {
                    return Some(Ok((lsn, record)));
                }
                continue;
            }
            match self.advance() {
                Ok(true) => (),
                Ok(false) => return None,
                Err(error) => {
                    // Stop here: never read past a gap.
                    (self.current, self.segments) = (None, Vec::new().into_iter());
                    return Some(Err(error));
                }
            }
        }
    }
}
