//! The segments that there are, and which of them nobody needs any more.

use std::collections::BTreeMap;
use std::io;

use crate::{
    Lsn, PartitionId,
    disk::Disk,
    frame::{Magic, Position},
    segment,
};

/// What the log knows of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) magic: Magic,
    /// Where its frames begin.
    pub(crate) start: u64,
    /// Where they end, if it is closed.
    pub(crate) end: u64,
    /// Last record in it of each partition that has one in it.
    pub(crate) last_lsns: BTreeMap<PartitionId, Lsn>,
    /// Whether its file is gone, although that may not be durable.
    pub(crate) is_removed: bool,
}

impl Segment {
    /// A new one, whose header names so many partitions, with the records it begins with.
    pub(crate) fn new(
        number: u64,
        magic: [u8; 8],
        partitions: usize,
        last_lsns: BTreeMap<PartitionId, Lsn>,
    ) -> Self {
        let start = segment::header_bytes(partitions);
        let magic = Magic::Two(magic);
        Self { number, magic, start, end: start, last_lsns, is_removed: false }
    }
}

/// All segments, oldest first. The last one is the one that is written.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    all: Vec<Segment>,
    /// From where on the log has all records of a partition; from the first on if it says nothing.
    oldest: BTreeMap<PartitionId, Lsn>,
    trimmed: BTreeMap<PartitionId, Lsn>,
    /// Whether a segment that nobody needs could not be removed.
    is_removal_owed: bool,
}

impl Segments {
    /// Those that were found, and the last record of each partition before the first of them.
    pub(crate) fn found(all: Vec<Segment>, before: &BTreeMap<PartitionId, Lsn>) -> Self {
        let oldest = before.iter().map(|(partition, last)| (*partition, Lsn(last.0 + 1))).collect();
        Self { all, oldest, ..Self::default() }
    }

    /// Closes the last one at `end`, and begins another.
    pub(crate) fn begin(&mut self, end: u64, next: Segment) {
        if let Some(last) = self.all.last_mut() {
            assert!(
                next.number == last.number + 1,
                "segment {} is followed by segment {}",
                last.number,
                next.number
            );
            assert!(
                end >= last.start,
                "segment {} is closed at offset {end}, within its header of {} bytes",
                last.number,
                last.start
            );
            last.end = end;
        }
        self.all.push(next);
    }

    /// Notes that nothing behind these records stands in the last one.
    pub(crate) fn cut_last(&mut self, last_lsns: &BTreeMap<PartitionId, Lsn>) {
        if let Some(last) = self.all.last_mut() {
            for (partition, last) in &mut last.last_lsns {
                *last = last_lsns.get(partition).map_or(*last, |kept| (*kept).min(*last));
            }
            last.last_lsns.retain(|_, last| *last > Lsn(0));
        }
    }

    /// Notes records of the last segment.
    ///
    /// # Panics
    /// When they do not follow those that it has of the partition: a batch was written twice, or too soon.
    pub(crate) fn wrote(&mut self, partition: PartitionId, first: Lsn, last: Lsn) {
        if let Some(active) = self.all.last_mut() {
            let before = active.last_lsns.insert(partition, last);
            assert!(
                before.is_none_or(|before| first.0 == before.0 + 1),
                "record {} of partition {} is in segment {} behind record {:?}",
                first.0,
                partition.0,
                active.number,
                before.map(|before| before.0)
            );
        }
    }

    /// What the next header is to say of the records before it must be what the last segment has of them:
    /// a log whose headers say something else is not opened any more.
    pub(crate) fn check_closing(&self, last_lsns: &BTreeMap<PartitionId, Lsn>) {
        let Some(active) = self.all.last() else { return };
        for (partition, last) in &active.last_lsns {
            let named = last_lsns.get(partition);
            assert!(
                named == Some(last),
                "segment {} ends with record {} of partition {}, and the next is to follow {:?}",
                active.number,
                last.0,
                partition.0,
                named.map(|named| named.0)
            );
        }
    }

    /// The last one must be the segment that is written, which ends at `end`.
    pub(crate) fn check_active(&self, magic: Magic, end: Position) {
        let Some(active) = self.all.last() else { unreachable!("a log without a segment") };
        assert!(
            (active.number, active.magic) == (end.segment, magic),
            "segment {} is written, and the last one is {}, or has another magic",
            end.segment,
            active.number
        );
        assert!(
            active.start <= end.offset,
            "segment {} is written at offset {}, and its frames begin at {}",
            active.number,
            end.offset,
            active.start
        );
    }

    /// Those that have records of a partition from `from` on; the last one ends at `end`.
    pub(crate) fn with(&self, partition: PartitionId, from: Lsn, end: u64) -> Vec<Segment> {
        let has = |segment: &&Segment| {
            let last = segment.last_lsns.get(&partition);
            !segment.is_removed && last.is_some_and(|last| *last >= from)
        };
        let mut found: Vec<Segment> = self.all.iter().filter(has).cloned().collect();
        if let (Some(found), Some(active)) = (found.last_mut(), self.all.last())
            && found.number == active.number
        {
            found.end = end;
        }
        found
    }

    pub(crate) fn oldest(&self, partition: PartitionId) -> Lsn {
        self.oldest.get(&partition).copied().unwrap_or(Lsn(1))
    }

    /// Records up to `upto` are no longer needed.
    pub(crate) fn trim(&mut self, partition: PartitionId, upto: Lsn) {
        let trimmed = self.trimmed.entry(partition).or_default();
        *trimmed = upto.max(*trimmed);
    }

    /// Whether the segment that is written has records, and nobody needs any of them.
    pub(crate) fn is_active_done(&self) -> bool {
        let active = self.all.last().filter(|active| !active.last_lsns.is_empty());
        active.is_some_and(|active| !self.is_needed(active))
    }

    /// Whether removing has to be tried again.
    pub(crate) fn is_removal_owed(&self) -> bool {
        self.is_removal_owed
    }

    /// Removes the segments that nobody needs. What cannot be removed now stays owed.
    pub(crate) fn remove_trimmed<D: Disk>(&mut self, disk: &D) {
        while self.all.len() > 1 && !self.is_needed(&self.all[0]) {
            // One after the other for sure: after a crash the segments that are left have no gap.
            self.is_removal_owed = self.remove_first(disk).is_err();
            if self.is_removal_owed {
                return;
            }
        }
    }

    fn remove_first<D: Disk>(&mut self, disk: &D) -> io::Result<()> {
        let first = &mut self.all[0];
        if !first.is_removed {
            match disk.remove(&segment::file_name(first.number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => first.is_removed = true,
            }
            for (partition, last) in &first.last_lsns {
                self.oldest.insert(*partition, Lsn(last.0 + 1));
            }
        }
        disk.sync_dir()?;
        self.all.remove(0);
        Ok(())
    }

    fn is_needed(&self, segment: &Segment) -> bool {
        segment.last_lsns.iter().any(|(partition, last)| {
            self.trimmed.get(partition).is_none_or(|trimmed| trimmed < last)
        })
    }
}
