//! The segments that exist, and which of them are no longer needed.

use std::collections::BTreeMap;
use std::io;

use crate::{
    Lsn, PartitionId,
    disk::Disk,
    frame::{Magic, Position},
    hold::{Hold, Holds},
    segment,
};

/// What the log knows about one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) magic: Magic,
    /// Offset at which its frames start.
    pub(crate) start: u64,
    /// Offset at which its frames end, if it is closed.
    pub(crate) end: u64,
    /// LSN of the last record of each partition that has records in this segment.
    pub(crate) last_lsns: BTreeMap<PartitionId, Lsn>,
    /// Whether its file has been removed, although the removal may not be durable yet.
    pub(crate) is_removed: bool,
}

impl Segment {
    /// A new segment whose header lists `partitions` partitions, with the records it starts with.
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

/// All segments, oldest first. The last one is the one being written.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    all: Vec<Segment>,
    /// LSN from which the log has every record of a partition; 1 for partitions that are not
    /// listed.
    oldest: BTreeMap<PartitionId, Lsn>,
    trimmed: BTreeMap<PartitionId, Lsn>,
    /// Whether a segment that is no longer needed could not be removed.
    is_removal_owed: bool,
    holds: Holds,
}

impl Segments {
    /// The segments found on disk, and the last record of each partition before the first of them.
    pub(crate) fn found(all: Vec<Segment>, before: &BTreeMap<PartitionId, Lsn>) -> Self {
        let oldest = before.iter().map(|(partition, last)| (*partition, Lsn(last.0 + 1))).collect();
        Self { all, oldest, ..Self::default() }
    }

    /// Closes the last segment at `end` and adds the next one.
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

    /// Notes that the last segment holds no records after these.
    pub(crate) fn cut_last(&mut self, last_lsns: &BTreeMap<PartitionId, Lsn>) {
        if let Some(last) = self.all.last_mut() {
            for (partition, last) in &mut last.last_lsns {
                *last = last_lsns.get(partition).map_or(*last, |kept| (*kept).min(*last));
            }
            last.last_lsns.retain(|_, last| *last > Lsn(0));
        }
    }

    /// Notes records written to the last segment.
    ///
    /// # Panics
    /// Panics if they do not follow the partition's previous records in the segment: a batch was
    /// written twice, or too early.
    pub(crate) fn wrote(&mut self, partition: PartitionId, first: Lsn, last: Lsn) {
        if let Some(active) = self.all.last_mut() {
            let before = active.last_lsns.insert(partition, last);
            assert!(
                before.is_none_or(|before| first.0 == before.0 + 1),
                "record {} of partition {} is in segment {} after record {:?}",
                first.0,
                partition.0,
                active.number,
                before.map(|before| before.0)
            );
        }
    }

    /// Checks that what the next header will claim about earlier records matches the last segment:
    /// a log whose headers disagree with its records can no longer be opened.
    pub(crate) fn check_closing(&self, last_lsns: &BTreeMap<PartitionId, Lsn>) {
        let Some(active) = self.all.last() else { return };
        for (partition, last) in &active.last_lsns {
            let named = last_lsns.get(partition);
            assert!(
                named == Some(last),
                "segment {} ends with record {} of partition {}, but the next header names {:?}",
                active.number,
                last.0,
                partition.0,
                named.map(|named| named.0)
            );
        }
    }

    /// Checks that the last segment is the one being written, which ends at `end`.
    pub(crate) fn check_active(&self, magic: Magic, end: Position) {
        let Some(active) = self.all.last() else { unreachable!("the log has no segments") };
        assert!(
            (active.number, active.magic) == (end.segment, magic),
            "segment {} is being written, but the last segment is {}, or its magic differs",
            end.segment,
            active.number
        );
        assert!(
            active.start <= end.offset,
            "segment {} is written at offset {}, but its frames start at {}",
            active.number,
            end.offset,
            active.start
        );
    }

    /// Segments that have records of a partition from `from` on; the last segment ends at `end`.
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

    /// Marks records up to `upto` as no longer needed.
    pub(crate) fn trim(&mut self, partition: PartitionId, upto: Lsn) {
        let trimmed = self.trimmed.entry(partition).or_default();
        *trimmed = upto.max(*trimmed);
    }

    /// Keeps all segments until the hold is dropped.
    pub(crate) fn hold(&self) -> Hold {
        self.holds.begin()
    }

    /// Whether the segment being written has records, none of which are needed.
    pub(crate) fn is_active_done(&self) -> bool {
        if self.holds.is_held() {
            return false;
        }
        let active = self.all.last().filter(|active| !active.last_lsns.is_empty());
        active.is_some_and(|active| !self.is_needed(active))
    }

    /// Whether removing a segment has to be retried.
    pub(crate) fn is_removal_owed(&self) -> bool {
        self.is_removal_owed
    }

    /// Removes the segments that are no longer needed. A removal that fails, or that a hold puts off,
    /// is retried later.
    pub(crate) fn remove_trimmed<D: Disk>(&mut self, disk: &D) {
        if self.holds.is_held() {
            // The one being written may have to be closed first, so any trim may free something.
            self.is_removal_owed = !self.trimmed.is_empty();
            return;
        }
        self.is_removal_owed = false;
        while self.all.len() > 1 && !self.is_needed(&self.all[0]) {
            // Each removal is durable before the next one, so that a crash leaves no gap.
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
