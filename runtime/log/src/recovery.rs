//! Opening: read what is there, cut a torn tail, refuse damage by name.
//!
//! A segment is synced whole before the next one is made, so a broken frame anywhere but in the last
//! segment is damage. In the last segment it is damage when any other frame, before or after it,
//! names a later position as synced; otherwise it is what a crash left of the last group commit, and
//! nobody was told that it was durable.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    Lsn, OpenError, PartitionId,
    disk::Disk,
    frame::{self, Position},
    segment::{self, Header, HeaderError},
};

/// What the log knows of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentInfo {
    pub(crate) number: u64,
    /// Last record in it of each partition that has one in it.
    pub(crate) last_lsns: BTreeMap<PartitionId, Lsn>,
}

/// What was found.
pub(crate) struct Recovered<F> {
    pub(crate) segments: Vec<SegmentInfo>,
    /// Last record of each partition, trimmed or not.
    pub(crate) last_lsns: BTreeMap<PartitionId, Lsn>,
    /// The last segment, cut and synced, and its length; `None` in an empty directory.
    pub(crate) active: Option<(F, u64)>,
}

pub(crate) fn recover<D: Disk>(disk: &D) -> Result<Recovered<D::File>, OpenError> {
    let io = |what: &str| {
        let what = what.to_owned();
        move |source| OpenError::Io { what, source }
    };
    let names = disk.list().map_err(io("the log's directory cannot be listed"))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number_of(name)).collect();
    numbers.sort_unstable();
    if let Some(gap) = numbers.windows(2).find(|pair| pair[0] + 1 != pair[1]) {
        return Err(OpenError::SegmentMissing { missing: gap[0] + 1 });
    }
    let mut found = Recovered { segments: Vec::new(), last_lsns: BTreeMap::new(), active: None };
    let mut synced = Position::default();
    for (at, &number) in numbers.iter().enumerate() {
        let name = segment::file_name(number);
        let bytes = Bytes::from(disk.read(&name).map_err(io(&format!("{name} cannot be read")))?);
        let is_last = at + 1 == numbers.len();
        let Some((header, mut offset)) = read_header(&name, &bytes, number, is_last)? else {
            // Made, but not yet synced when the crash came: nothing was ever in it.
            disk.remove(&name).map_err(io(&format!("{name} cannot be removed")))?;
            disk.sync_dir().map_err(io("the log's directory cannot be synced"))?;
            break;
        };
        for (partition, lsn) in &header.last_lsns {
            found.last_lsns.entry(*partition).or_insert(*lsn);
        }
        let mut info = SegmentInfo { number, last_lsns: BTreeMap::new() };
        let damaged = |offset: usize, reason: String| OpenError::Damaged {
            file: name.clone(),
            offset: offset as u64,
            reason,
        };
        let end = loop {
            let rest = bytes.slice(offset..);
            if rest.is_empty() {
                break offset;
            }
            let frame = match frame::decode(&rest) {
                Ok(frame) => frame,
                Err(reason) => {
                    let broken = Position { segment: number, offset: offset as u64 };
                    let known = synced.max(latest_synced_behind(&rest));
                    if !is_last || known > broken {
                        return Err(damaged(offset, reason.to_owned()));
                    }
                    break offset;
                }
            };
            synced = synced.max(frame.synced);
            if let Some(batch) = &frame.batch {
                let last = found.last_lsns.entry(batch.partition).or_default();
                if batch.first_lsn.0 != last.0 + 1 {
                    let (partition, first) = (batch.partition.0, batch.first_lsn.0);
                    let reason = format!(
                        "record {first} of partition {partition} follows record {}",
                        last.0
                    );
                    return Err(damaged(offset, reason));
                }
                last.0 += batch.records.len() as u64;
                info.last_lsns.insert(batch.partition, *last);
            }
            offset += frame.len;
        };
        found.segments.push(info);
        if is_last {
            let mut file = disk.open(&name).map_err(io(&format!("{name} cannot be opened")))?;
            if end < bytes.len() {
                disk.truncate(&mut file, end as u64)
                    .map_err(io(&format!("the torn tail of {name} cannot be cut")))?;
            }
            // What was read may only be in the page cache; nobody may act on it before this.
            disk.sync(&mut file).map_err(io(&format!("{name} cannot be synced")))?;
            disk.sync_dir().map_err(io("the log's directory cannot be synced"))?;
            found.active = Some((file, end as u64));
        }
    }
    if found.active.is_none()
        && let Some(last) = found.segments.last()
    {
        // The segment that was being made is gone: its predecessor is the last one again.
        let name = segment::file_name(last.number);
        let len = disk.read(&name).map_err(io(&format!("{name} cannot be read")))?.len() as u64;
        let mut file = disk.open(&name).map_err(io(&format!("{name} cannot be opened")))?;
        disk.sync(&mut file).map_err(io(&format!("{name} cannot be synced")))?;
        found.active = Some((file, len));
    }
    Ok(found)
}

/// The header, or `None` when the last segment does not have a whole one yet.
fn read_header(
    name: &str,
    bytes: &Bytes,
    number: u64,
    is_last: bool,
) -> Result<Option<(Header, usize)>, OpenError> {
    let damaged = |reason: &str| OpenError::Damaged {
        file: name.to_owned(),
        offset: 0,
        reason: reason.to_owned(),
    };
    match Header::decode(bytes) {
        Ok((header, _)) if header.number != number => {
            Err(damaged("the header is that of another segment"))
        }
        Ok(found) => Ok(Some(found)),
        Err(HeaderError::Format(found)) => {
            Err(OpenError::Format { file: name.to_owned(), found, expected: segment::FORMAT })
        }
        Err(HeaderError::Broken) => {
            let is_used = latest_synced_behind(bytes) != Position::default();
            if is_last && !is_used && !has_frame(bytes) {
                return Ok(None);
            }
            Err(damaged("the header cannot be read"))
        }
    }
}

/// The latest position that any whole frame in `bytes` names as synced, wherever it stands.
fn latest_synced_behind(bytes: &Bytes) -> Position {
    frames_anywhere(bytes).map(|frame| frame.synced).max().unwrap_or_default()
}

fn has_frame(bytes: &Bytes) -> bool {
    frames_anywhere(bytes).next().is_some()
}

fn frames_anywhere(bytes: &Bytes) -> impl Iterator<Item = frame::Frame> {
    (0..bytes.len()).filter_map(|at| {
        // The magic's first byte is rare enough to make this cheap.
        (bytes[at] == 0xAB).then(|| frame::decode(&bytes.slice(at..)).ok())?
    })
}
