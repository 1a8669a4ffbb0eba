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
//! Older formats are read but no longer written: format 2 does not say whose it is, and format 1 has
//! neither the magic nor the two lengths.
//!
//! The last lsns stand in every header, so that the log knows them also when it has trimmed all
//! records of a partition. A segment is written under another name, synced, and only then given its
//! own, so whatever has the name of a segment had a whole header once, and everything in it up to the
//! length that the header names was on disk. What its predecessor has beyond the length at which it was
//! closed is not part of the log: recovery copies what it keeps of that into the new segment.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes};

use crate::{Lsn, PartitionId, frame::Magic, room::Owner};

const MAGIC: &[u8; 8] = b"ABIDELOG";
/// Version of the bytes of segments and frames that is written.
pub(crate) const FORMAT: u32 = 3;
/// The first version that has random magic and lengths.
const FORMAT_2: u32 = 2;
/// The oldest version that is read.
const FORMAT_1: u32 = 1;
const SUFFIX: &str = ".seg";
const UNFINISHED: &str = ".new";
const FIXED_BYTES: usize = 66;
/// No header is longer: there are no more than 2^16 partitions.
pub(crate) const HEADER_BYTES_MAX: usize = FIXED_BYTES + 10 * (1 << 16) + 4;

/// The head of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) magic: Magic,
    /// Whose it is; `None` where the format does not say.
    pub(crate) owner: Option<Owner>,
    /// Length at which the predecessor was closed; `None` where the format does not say.
    pub(crate) predecessor_bytes: Option<u64>,
    /// Length of the file when it got its name: all of that was on disk.
    pub(crate) made_bytes: u64,
    /// Last record of each partition before this segment.
    pub(crate) last_lsns: BTreeMap<PartitionId, Lsn>,
}

/// Why a header cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Format(u32),
    Broken,
}

/// Name of a segment's file.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:016}{SUFFIX}")
}

/// Name of a segment's file before it is whole.
pub(crate) fn unfinished_name(number: u64) -> String {
    format!("{number:016}{SUFFIX}{UNFINISHED}")
}

/// Number of the segment in a file of this name, if it is one.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 16).then(|| digits.parse().ok())?
}

/// Whether a file of this name is a segment that was never finished.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED).is_some_and(|name| number_of(name).is_some())
}

/// Length of the header that names so many partitions.
pub(crate) fn header_bytes(partitions: usize) -> u64 {
    (FIXED_BYTES + 10 * partitions + 4) as u64
}

impl Header {
    /// The bytes of the format that is written.
    ///
    /// # Panics
    /// When it was read from an older one: what that does not say would be taken for nought.
    pub(crate) fn encode(&self, magic: [u8; 8]) -> Vec<u8> {
        assert!(
            self.magic == Magic::Two(magic),
            "the header of segment {} is to name another magic than that of its frames",
            self.number
        );
        let (Some(owner), Some(predecessor_bytes)) = (self.owner, self.predecessor_bytes) else {
            unreachable!(
                "the header of segment {} does not say whose it is, or what it follows",
                self.number
            );
        };
        let Ok(count) = u32::try_from(self.last_lsns.len()) else {
            panic!("{} partitions in a header; there are at most 65536", self.last_lsns.len());
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
            "the header of segment {} has {} bytes, {expected} were planned, and {} for the whole file",
            self.number,
            bytes.len(),
            self.made_bytes
        );
        bytes
    }

    /// Reads the header and says how long it is.
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

    /// Whether these bytes are what a crash can leave of a header of format 1, which was written under
    /// the segment's own name: nothing, the start of one, or zeros where its first block should be.
    pub(crate) fn is_torn_format_1(bytes: &[u8]) -> bool {
        let mut start = MAGIC.to_vec();
        start.put_u32(FORMAT_1);
        let len = bytes.len().min(start.len());
        bytes.len() < HEADER_BYTES_MAX
            && (bytes[..len] == start[..len] || bytes[..len].iter().all(|byte| *byte == 0))
    }
}
