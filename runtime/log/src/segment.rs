//! A segment: one file of the log.
//!
//! ```text
//! offset  size  what (integers are big-endian)
//!      0     8  "ABIDELOG"
//!      8     4  format, 3
//!     12     8  number of the segment
//!     20     8  magic of its frames, random
//!     28     8  length at which its predecessor was closed; 0 without one
//!     36     8  length of this file when it was given its name
//!     44    16  fingerprint of the data directory; 0 if it has none
//!     60     2  how many partitions the node has
//!     62     4  number of partitions that follow
//!     66  10*n  partition (2) and the lsn of its last record before this segment (8)
//!      -     4  CRC-32C of everything before it
//!      -     -  frames
//! ```
//!
//! Older formats can still be read but are no longer written: format 2 does not record the owner,
//! and format 1 has neither the magic nor the two lengths.
//!
//! Every header carries the last LSNs, so the log knows them even after it has trimmed all records
//! of a partition. A segment is written under a temporary name, synced, and only then renamed, so
//! any file with a segment's name once had a complete header, and everything in it up to the length
//! in that header was on disk. Whatever the predecessor holds beyond the length at which it was
//! closed is not part of the log: recovery copies what it keeps of that into the new segment.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes};

use crate::{Lsn, PartitionId, disk_space::Owner, frame::Magic};

const MAGIC: &[u8; 8] = b"ABIDELOG";
/// Format version of the segments and frames that are written.
pub const FORMAT: u32 = 3;
/// First format version with a random magic and the two lengths.
const FORMAT_2: u32 = 2;
/// Oldest format version that can be read.
const FORMAT_1: u32 = 1;
const SUFFIX: &str = ".seg";
const UNFINISHED: &str = ".new";
const FIXED_BYTES: usize = 66;
/// Upper bound on the length of a header: there are at most 2^16 partitions.
pub(crate) const HEADER_BYTES_MAX: usize = FIXED_BYTES + 10 * (1 << 16) + 4;

/// The header of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) magic: Magic,
    /// Owner of the log; `None` if the format does not record it.
    pub(crate) owner: Option<Owner>,
    /// Length at which the predecessor was closed; `None` if the format does not record it.
    pub(crate) predecessor_bytes: Option<u64>,
    /// Length of the file when it was renamed into place; all of it was on disk by then.
    pub(crate) made_bytes: u64,
    /// LSN of the last record of each partition before this segment.
    pub(crate) last_lsns: BTreeMap<PartitionId, Lsn>,
}

/// Why a header cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Format(u32),
    Broken,
}

/// File name of the segment with this number.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:016}{SUFFIX}")
}

/// File name of a segment that is not complete yet.
pub(crate) fn unfinished_name(number: u64) -> String {
    format!("{number:016}{SUFFIX}{UNFINISHED}")
}

/// Number of the segment with this file name; `None` if it is not a segment's name.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 16).then(|| digits.parse().ok())?
}

/// Whether this is the file name of a segment that was never completed.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED).is_some_and(|name| number_of(name).is_some())
}

/// Length in bytes of a header that lists `partitions` partitions.
pub(crate) fn header_bytes(partitions: usize) -> u64 {
    (FIXED_BYTES + 10 * partitions + 4) as u64
}

impl Header {
    /// Encodes the header in the current format.
    ///
    /// # Panics
    /// Panics if `magic` is not the header's own, or if the header was read from an older format:
    /// the fields it lacks would be written as zero.
    pub(crate) fn encode(&self, magic: [u8; 8]) -> Vec<u8> {
        assert!(
            self.magic == Magic::Two(magic),
            "segment {}: the magic in the header differs from that of its frames",
            self.number
        );
        let (Some(owner), Some(predecessor_bytes)) = (self.owner, self.predecessor_bytes) else {
            unreachable!(
                "the header of segment {} has no owner or no predecessor length",
                self.number
            );
        };
        let Ok(count) = u32::try_from(self.last_lsns.len()) else {
            panic!("a header lists {} partitions; the maximum is 65536", self.last_lsns.len());
        };
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.put_u32(FORMAT);
        bytes.put_u64(self.number);
        bytes.extend_from_slice(&magic);
        bytes.put_u64(predecessor_bytes);
        bytes.put_u64(self.made_bytes);
        bytes.put_u128(owner.directory);
        bytes.put_u16(owner.partitions);
        bytes.put_u32(count);
        for (partition, lsn) in &self.last_lsns {
            bytes.put_u16(partition.0);
            bytes.put_u64(lsn.0);
        }
        bytes.put_u32(crc32c::crc32c(&bytes));
        let expected = header_bytes(self.last_lsns.len());
        assert!(
            bytes.len() as u64 == expected && expected <= self.made_bytes,
            "the header of segment {} has {} bytes, but {expected} were planned, out of {} for the whole file",
            self.number,
            bytes.len(),
            self.made_bytes
        );
        bytes
    }

    /// Decodes a header and returns it with its length in bytes.
    pub(crate) fn decode(bytes: &Bytes) -> Result<(Self, u64), HeaderError> {
        let mut rest = bytes.clone();
        let mut magic = [0; 8];
        rest.try_copy_to_slice(&mut magic).map_err(|_| HeaderError::Broken)?;
        if &magic != MAGIC {
            return Err(HeaderError::Broken);
        }
        let format = rest.try_get_u32().map_err(|_| HeaderError::Broken)?;
        if !(FORMAT_1..=FORMAT).contains(&format) {
            return Err(HeaderError::Format(format));
        }
        let mut header = Self::decode_rest(&mut rest, format).ok_or(HeaderError::Broken)?;
        let len = bytes.len() - rest.len();
        let crc = rest.try_get_u32().map_err(|_| HeaderError::Broken)?;
        if crc != crc32c::crc32c(&bytes[..len]) {
            return Err(HeaderError::Broken);
        }
        let len = (len + 4) as u64;
        header.made_bytes = header.made_bytes.max(len);
        Ok((header, len))
    }

    fn decode_rest(rest: &mut Bytes, format: u32) -> Option<Self> {
        let number = rest.try_get_u64().ok()?;
        let (mut magic, mut predecessor_bytes, mut made_bytes) = (Magic::One, None, 0);
        let mut owner = None;
        if format >= FORMAT_2 {
            let mut random = [0; 8];
            rest.try_copy_to_slice(&mut random).ok()?;
            magic = Magic::Two(random);
            predecessor_bytes = Some(rest.try_get_u64().ok()?);
            made_bytes = rest.try_get_u64().ok()?;
        }
        if format == FORMAT {
            let directory = rest.try_get_u128().ok()?;
            owner = Some(Owner { directory, partitions: rest.try_get_u16().ok()? });
        }
        let count = rest.try_get_u32().ok()?;
        let mut last_lsns = BTreeMap::new();
        for _ in 0..count {
            let partition = PartitionId(rest.try_get_u16().ok()?);
            last_lsns.insert(partition, Lsn(rest.try_get_u64().ok()?));
        }
        Some(Self { number, magic, owner, predecessor_bytes, made_bytes, last_lsns })
    }

    /// Whether `bytes` may be what a crash left of a format 1 header, which was written directly
    /// under the segment's final name: nothing, a prefix, or zeros in place of its first block.
    pub(crate) fn is_torn_format_1(bytes: &[u8]) -> bool {
        let mut start = MAGIC.to_vec();
        start.put_u32(FORMAT_1);
        let len = bytes.len().min(start.len());
        bytes.len() < HEADER_BYTES_MAX
            && (bytes[..len] == start[..len] || bytes[..len].iter().all(|byte| *byte == 0))
    }
}
