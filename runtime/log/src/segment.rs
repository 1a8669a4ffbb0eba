//! A segment: one file of the log.
//!
//! ```text
//! offset  size  what (integers are big-endian)
//!      0     8  "ABIDELOG"
//!      8     4  format, 1
//!     12     8  number of the segment
//!     20     4  number of partitions that follow
//!     24  10*n  partition (2) and the lsn of its last record before this segment (8)
//!      -     4  CRC-32C of everything before it
//!      -     -  frames
//! ```
//!
//! The last lsns stand in every header, so that the log knows them also when it has trimmed all
//! records of a partition. A header is synced before its segment is used.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes};

use crate::{Lsn, PartitionId};

const MAGIC: &[u8; 8] = b"ABIDELOG";
/// Version of the bytes of segments and frames.
pub const FORMAT: u32 = 1;
const SUFFIX: &str = ".seg";

/// The head of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
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

/// Number of the segment in a file of this name, if it is one.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 16).then(|| digits.parse().ok())?
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.put_u32(FORMAT);
        bytes.put_u64(self.number);
        bytes.put_u32(u32::try_from(self.last_lsns.len()).unwrap_or(u32::MAX));
        for (partition, lsn) in &self.last_lsns {
            bytes.put_u16(partition.0);
            bytes.put_u64(lsn.0);
        }
        bytes.put_u32(crc32c::crc32c(&bytes));
        bytes
    }

    /// Reads the header and says how long it is.
    pub(crate) fn decode(bytes: &Bytes) -> Result<(Self, usize), HeaderError> {
        let mut rest = bytes.clone();
        let mut magic = [0; 8];
        rest.try_copy_to_slice(&mut magic).map_err(|_| HeaderError::Broken)?;
        if &magic != MAGIC {
            return Err(HeaderError::Broken);
        }
        let format = rest.try_get_u32().map_err(|_| HeaderError::Broken)?;
        if format != FORMAT {
            return Err(HeaderError::Format(format));
        }
        let header = Self::decode_rest(&mut rest).ok_or(HeaderError::Broken)?;
        let len = bytes.len() - rest.len();
        let crc = rest.try_get_u32().map_err(|_| HeaderError::Broken)?;
        if crc != crc32c::crc32c(&bytes[..len]) {
            return Err(HeaderError::Broken);
        }
        Ok((header, len + 4))
    }

    fn decode_rest(rest: &mut Bytes) -> Option<Self> {
        let number = rest.try_get_u64().ok()?;
        let count = rest.try_get_u32().ok()?;
        let mut last_lsns = BTreeMap::new();
        for _ in 0..count {
            let partition = PartitionId(rest.try_get_u16().ok()?);
            last_lsns.insert(partition, Lsn(rest.try_get_u64().ok()?));
        }
        Some(Self { number, last_lsns })
    }
}
