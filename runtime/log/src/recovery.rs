//! Opening a log: read what is there, tell a torn tail from damage, refuse damage by file and
//! offset.
//!
//! A segment's successor records the length at which it was closed, so a broken frame before that
//! is damage. In the last segment a broken frame is damage if an intact frame, before or after it,
//! records a later position as synced; otherwise it is what a crash left of the last group commit,
//! which was never acknowledged.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;

use crate::{
    Lsn, OpenError, PartitionId,
    active::{Active, Plan},
    carry::carry,
    disk::Disk,
    disk_space::{LogOptions, Owner, Trouble},
    frame::{Frame, Magic, Position},
    scan::{Flaw, Frames},
    segment::{self, HEADER_BYTES_MAX, Header, HeaderError},
    segments::{Segment, Segments},
};

/// What was found, and the segment to continue in.
pub(crate) struct Recovered<F> {
    pub(crate) segments: Segments,
    /// LSN of the last record of each partition, trimmed or not.
    pub(crate) last_lsns: BTreeMap<PartitionId, Lsn>,
    pub(crate) active: Active<F>,
}

/// What was found in a log that nobody has open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Number of segments.
    pub segments: usize,
    /// Length of all of them.
    pub bytes: u64,
    /// Length of what a crash has left at the end, which was never acknowledged.
    pub incomplete_bytes: u64,
    /// LSN of the last record of each partition.
    pub last_lsns: BTreeMap<PartitionId, Lsn>,
}

/// How the last segment ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    pub(crate) number: u64,
    pub(crate) magic: Magic,
    /// Everything before this offset is on disk, however the last process ended.
    pub(crate) certain: u64,
    /// Frames are intact up to this offset.
    pub(crate) whole: u64,
    /// Length of the file.
    len: u64,
}

/// A segment's file, before its frames are read.
struct Head {
    name: String,
    header: Header,
    /// Offset at which the header ends.
    start: u64,
    len: u64,
}

struct Found {
    segments: Vec<Segment>,
    last_lsns: BTreeMap<PartitionId, Lsn>,
}

/// What is in a log, without a change to it.
pub(crate) fn look<D: Disk>(disk: &D, owner: Owner) -> Result<Option<Look>, OpenError> {
    let Heads { heads, .. } = read_heads(disk, owner)?;
    let Some((found, tail)) = Found::read(disk, &heads)? else { return Ok(None) };
    Ok(Some(Look {
        segments: heads.len(),
        bytes: heads.iter().map(|head| head.len).sum(),
        incomplete_bytes: tail.len - tail.whole,
        last_lsns: found.last_lsns,
    }))
}

/// Recovers the log. `tables` holds the last LSN that is in each partition's tables: a log that
/// does not continue from there is refused before anything in it is changed, so that a restored
/// copy still fits.
pub(crate) fn recover<D: Disk>(
    disk: &D,
    options: &LogOptions,
    tables: &BTreeMap<PartitionId, Lsn>,
) -> Result<Recovered<D::File>, OpenError> {
    loop {
        remove_unfinished(disk)?;
        let Heads { heads, torn } = read_heads(disk, options.owner)?;
        if let Some(name) = torn {
            remove(disk, &name)?;
        }
        let Some((found, tail)) = Found::read(disk, &heads)? else {
            return begin(disk, options, BTreeMap::new());
        };
        let (before, last) = (&heads[0].header.last_lsns, &heads[heads.len() - 1]);
        check_tables(tables, before, &found.last_lsns)?;
        let is_empty = found.segments.last().is_none_or(|segment| segment.last_lsns.is_empty());
        if last.header.magic == Magic::One && is_empty && heads.len() > 1 {
            // Format 1 gave a segment its name before the segment was on disk, and nothing proves
            // that it ever got there.
            remove(disk, &last.name)?;
            continue;
        }
        if tail.whole < tail.len {
            tracing::warn!(
                file = last.name,
                bytes = tail.len - tail.whole,
                "the log ends with an incomplete write, as a crash leaves it; it was not \
                 acknowledged and is discarded"
            );
        }
        let segments = Segments::found(found.segments, before);
        return go_on(disk, &tail, segments, found.last_lsns, options);
    }
}

/// Checks that the log has the records that follow those in the tables. `before` holds the last
/// records that it no longer has.
fn check_tables(
    tables: &BTreeMap<PartitionId, Lsn>,
    before: &BTreeMap<PartitionId, Lsn>,
    last: &BTreeMap<PartitionId, Lsn>,
) -> Result<(), OpenError> {
    let of = |map: &BTreeMap<PartitionId, Lsn>, partition| {
        map.get(partition).copied().unwrap_or_default()
    };
    for (partition, &applied) in tables {
        let (gone, last) = (of(before, partition), of(last, partition));
        if last < applied {
            return Err(OpenError::EndMissing { partition: *partition, applied, last });
        }
        if gone > applied {
            let oldest = Lsn(gone.0 + 1);
            return Err(OpenError::BeginningMissing { partition: *partition, applied, oldest });
        }
    }
    Ok(())
}

/// Creates the first segment of a log whose first records follow these.
pub(crate) fn begin<D: Disk>(
    disk: &D,
    options: &LogOptions,
    last_lsns: BTreeMap<PartitionId, Lsn>,
) -> Result<Recovered<D::File>, OpenError> {
    let plan = Plan {
        number: 1,
        predecessor_bytes: 0,
        last_lsns: last_lsns.clone(),
        carried_bytes: 0,
        needs_reserve: false,
    };
    let active = Active::make(disk, &plan, options, |_| Ok(())).map_err(|trouble: Trouble| {
        let what = "the first segment cannot be created".to_owned();
        OpenError::Io { what, source: trouble.into() }
    })?;
    let mut segments = Segments::found(Vec::new(), &last_lsns);
    segments.begin(0, Segment::new(1, active.magic, last_lsns.len(), BTreeMap::new()));
    Ok(Recovered { segments, last_lsns, active })
}

/// Continues in the last segment if all of it is certain, and in a new one otherwise.
fn go_on<D: Disk>(
    disk: &D,
    tail: &Tail,
    mut segments: Segments,
    last_lsns: BTreeMap<PartitionId, Lsn>,
    options: &LogOptions,
) -> Result<Recovered<D::File>, OpenError> {
    let name = segment::file_name(tail.number);
    if let Magic::Two(magic) = tail.magic
        && tail.certain == tail.len
    {
        // Its bytes are on disk, but its name may not be.
        disk.sync_dir().map_err(io("the log's directory cannot be synced"))?;
        let file = disk.open(&name).map_err(io(&format!("{name} cannot be opened")))?;
        let end = Position { segment: tail.number, offset: tail.certain };
        return Ok(Recovered { segments, last_lsns, active: Active::at(file, magic, end) });
    }
    let (active, before) = carry(disk, tail, &last_lsns, options)?;
    let mut carried = last_lsns.clone();
    carried.retain(|partition, last| before.get(partition) != Some(last));
    segments.cut_last(&before);
    let next = Segment::new(active.end.segment, active.magic, before.len(), carried);
    segments.begin(tail.certain, next);
    Ok(Recovered { segments, last_lsns, active })
}

fn remove_unfinished<D: Disk>(disk: &D) -> Result<(), OpenError> {
    let names = disk.list().map_err(io("the log's directory cannot be listed"))?;
    for name in names.iter().filter(|name| segment::is_unfinished(name)) {
        remove(disk, name)?;
    }
    Ok(())
}

/// The heads of all segments, in order.
struct Heads {
    heads: Vec<Head>,
    /// The last file, if it was created but not synced when a crash came: it never held anything.
    torn: Option<String>,
}

fn read_heads<D: Disk>(disk: &D, owner: Owner) -> Result<Heads, OpenError> {
    let names = disk.list().map_err(io("the log's directory cannot be listed"))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number_of(name)).collect();
    numbers.sort_unstable();
    if let Some(gap) = numbers.windows(2).find(|pair| pair[0] + 1 != pair[1]) {
        return Err(OpenError::SegmentMissing { missing: gap[0] + 1 });
    }
    let (mut heads, mut torn) = (Vec::new(), None);
    for &number in &numbers {
        let name = segment::file_name(number);
        match read_head(disk, &name, number)? {
            Some(head) if head.header.owner.is_some_and(|found| found != owner) => {
                return Err(OpenError::Stranger { file: name });
            }
            Some(head) => heads.push(head),
            None if Some(&number) == numbers.last() && follows_format_1(number, &heads) => {
                torn = Some(name);
            }
            None => return Err(damaged(&name, 0, "the header cannot be read")),
        }
    }
    Ok(Heads { heads, torn })
}

/// Whether a segment may have been created by format 1, the only one that gave a file its name
/// before the file was on disk.
fn follows_format_1(number: u64, before: &[Head]) -> bool {
    before.last().map_or(number == 1, |head| head.header.magic == Magic::One)
}

/// Reads the head of a segment; `None` if it is a format 1 segment that was never completed.
fn read_head<D: Disk>(disk: &D, name: &str, number: u64) -> Result<Option<Head>, OpenError> {
    let cannot_read = || io(&format!("{name} cannot be read"));
    let len = disk.len(name).map_err(cannot_read())?;
    let bytes = disk.read_at(name, 0, HEADER_BYTES_MAX).map_err(cannot_read())?;
    let bytes = Bytes::from(bytes);
    match Header::decode(&bytes) {
        Ok((header, _)) if header.number != number => {
            Err(damaged(name, 0, "the header belongs to another segment"))
        }
        Ok((header, start)) => Ok(Some(Head { name: name.to_owned(), header, start, len })),
        Err(HeaderError::Format(found)) => {
            Err(OpenError::Format { file: name.to_owned(), found, expected: segment::FORMAT })
        }
        Err(HeaderError::Broken) => {
            let frames = Frames::new(disk, name, Magic::One, 0, len);
            let is_unused = Header::is_torn_format_1(&bytes)
                && !frames.is_any_behind().map_err(cannot_read())?;
            if is_unused { Ok(None) } else { Err(damaged(name, 0, "the header cannot be read")) }
        }
    }
}

impl Found {
    /// Reads all segments; `None` if there are none.
    fn read<D: Disk>(disk: &D, heads: &[Head]) -> Result<Option<(Self, Tail)>, OpenError> {
        let (Some(first), Some(last)) = (heads.first(), heads.last()) else { return Ok(None) };
        let last_lsns = first.header.last_lsns.clone();
        let mut found = Self { segments: Vec::new(), last_lsns };
        for pair in heads.windows(2) {
            found.read_closed(disk, &pair[0], pair[1].header.predecessor_bytes)?;
        }
        let tail = found.read_last(disk, last)?;
        Ok(Some((found, tail)))
    }

    /// Reads a segment that was closed at `end`, or at the end of its file if its successor does
    /// not record that.
    fn read_closed<D: Disk>(
        &mut self,
        disk: &D,
        head: &Head,
        end: Option<u64>,
    ) -> Result<(), OpenError> {
        let end = end.unwrap_or(head.len);
        if head.len < end {
            let reason = format!("the file ends here, but was closed with {end} bytes");
            return Err(damaged(&head.name, head.len, &reason));
        }
        let mut frames = self.begin(disk, head, end)?;
        while let Some(frame) = frames.read() {
            let at = frames.offset();
            match frame {
                Ok(frame) => self.take(head, at - frame.len, &frame)?,
                Err(flaw) => return Err(refused(&head.name, at, flaw)),
            }
        }
        Ok(())
    }

    /// Reads the frames of the last segment and finds out how it ends.
    fn read_last<D: Disk>(&mut self, disk: &D, head: &Head) -> Result<Tail, OpenError> {
        let number = head.header.number;
        let mut certain = head.header.made_bytes;
        let mut frames = self.begin(disk, head, head.len)?;
        while let Some(frame) = frames.read() {
            let frame = match frame {
                Ok(frame) => frame,
                Err(Flaw::Broken(reason)) => {
                    let is_damage = certain > frames.offset()
                        || frames
                            .is_vouched_for(number)
                            .map_err(io(&format!("{} cannot be read", head.name)))?;
                    if is_damage {
                        return Err(damaged(&head.name, frames.offset(), reason));
                    }
                    break;
                }
                Err(flaw) => return Err(refused(&head.name, frames.offset(), flaw)),
            };
            let at = frames.offset() - frame.len;
            self.take(head, at, &frame)?;
            let proven = frame.proves(Position { segment: number, offset: at });
            if let Some(proven) = proven.filter(|proven| proven.segment == number) {
                certain = certain.max(proven.offset);
            }
        }
        let whole = frames.offset();
        if whole < certain {
            let reason = format!("the file ends here, but had {certain} bytes");
            return Err(damaged(&head.name, whole, &reason));
        }
        Ok(Tail { number, magic: head.header.magic, certain, whole, len: head.len })
    }

    /// Starts reading a segment. What its header claims about earlier segments must match their
    /// content.
    fn begin<'a, D: Disk>(
        &mut self,
        disk: &'a D,
        head: &Head,
        end: u64,
    ) -> Result<Frames<'a, D>, OpenError> {
        for (partition, last) in &head.header.last_lsns {
            let found = *self.last_lsns.entry(*partition).or_insert(*last);
            if found != *last && head.header.magic != Magic::One {
                let (id, found, named) = (partition.0, found.0, last.0);
                let reason = format!(
                    "it follows record {named} of partition {id}, but the segment before it ends with {found}"
                );
                return Err(damaged(&head.name, 0, &reason));
            }
        }
        let (magic, start) = (head.header.magic, head.start);
        let last_lsns = BTreeMap::new();
        let number = head.header.number;
        self.segments.push(Segment { number, magic, start, end, last_lsns, is_removed: false });
        Ok(Frames::new(disk, &head.name, magic, start, end))
    }

    fn take(&mut self, head: &Head, at: u64, frame: &Frame) -> Result<(), OpenError> {
        let Some(batch) = &frame.batch else { return Ok(()) };
        let last = self.last_lsns.entry(batch.partition).or_default();
        if batch.first_lsn.0 != last.0 + 1 {
            let (partition, first) = (batch.partition.0, batch.first_lsn.0);
            let reason =
                format!("record {first} of partition {partition} follows record {}", last.0);
            return Err(damaged(&head.name, at, &reason));
        }
        last.0 += batch.records.len() as u64;
        if let Some(segment) = self.segments.last_mut() {
            segment.last_lsns.insert(batch.partition, *last);
        }
        Ok(())
    }
}

/// Removes a segment that was never completed. The next one takes its name, which makes the removal
/// durable.
fn remove<D: Disk>(disk: &D, name: &str) -> Result<(), OpenError> {
    disk.remove(name).map_err(io(&format!("{name} cannot be removed")))
}

fn refused(file: &str, offset: u64, flaw: Flaw) -> OpenError {
    match flaw {
        Flaw::Io(source) => OpenError::Io { what: format!("{file} cannot be read"), source },
        Flaw::Broken(reason) => damaged(file, offset, reason),
    }
}

fn damaged(file: &str, offset: u64, reason: &str) -> OpenError {
    OpenError::Damaged { file: file.to_owned(), offset, reason: reason.to_owned() }
}

fn io(what: &str) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let what = what.to_owned();
    move |source| OpenError::Io { what, source }
}
