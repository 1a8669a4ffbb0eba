//! A frame: one batch, or a seal, with its checksum.
//!
//! ```text
//! offset  size  what (integers are big-endian)
//!      0     4  magic AB 1D E1 06
//!      4     4  CRC-32C of everything after it, header and payload
//!      8     4  length of the payload
//!     12     2  partition
//!     14     2  kind: 1 batch, 2 seal
//!     16     8  lsn of the first record
//!     24     4  number of records
//!     28     8  segment of the last synced position when this was written
//!     36     8  offset of the last synced position when this was written
//!     44     -  payload: each record as its length (4 bytes) and its bytes
//! ```
//!
//! The synced position is what tells a torn tail from damage: at most the frames of one group commit
//! are not yet synced, so a broken frame at a position that a later frame names as synced was whole
//! once. A seal carries nothing but that position, for the last batches of a log that falls idle.

use bytes::{Buf, BufMut, Bytes};

use crate::{Batch, Lsn, PartitionId};

const MAGIC: u32 = 0xAB1D_E106;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 44;
const KIND_BATCH: u16 = 1;
const KIND_SEAL: u16 = 2;

/// A place in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the segment.
    pub segment: u64,
    /// Bytes from its start.
    pub offset: u64,
}

/// A frame read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it carries; `None` for a seal.
    pub batch: Option<Batch>,
    /// Everything before this was on disk when it was written.
    pub synced: Position,
    /// Bytes it takes.
    pub len: usize,
}

/// Appends the frame of a batch.
pub(crate) fn encode_batch(batch: &Batch, synced: Position, into: &mut Vec<u8>) {
    let count = u32::try_from(batch.records.len()).unwrap_or(u32::MAX);
    encode(KIND_BATCH, batch.partition, batch.first_lsn, count, synced, into, |into| {
        for record in &batch.records {
            into.put_u32(u32::try_from(record.len()).unwrap_or(u32::MAX));
            into.extend_from_slice(record);
        }
    });
}

/// Appends a seal.
pub(crate) fn encode_seal(synced: Position, into: &mut Vec<u8>) {
    encode(KIND_SEAL, PartitionId(0), Lsn(0), 0, synced, into, |_| ());
}

fn encode(
    kind: u16,
    partition: PartitionId,
    first_lsn: Lsn,
    count: u32,
    synced: Position,
    into: &mut Vec<u8>,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let start = into.len();
    into.put_u32(MAGIC);
    into.put_u32(0);
    into.put_u32(0);
    into.put_u16(partition.0);
    into.put_u16(kind);
    into.put_u64(first_lsn.0);
    into.put_u32(count);
    into.put_u64(synced.segment);
    into.put_u64(synced.offset);
    payload(into);
    let length = into.len() - start - HEADER_BYTES;
    into[start + 8..start + 12]
        .copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    let crc = crc32c::crc32c(&into[start + 8..]);
    into[start + 4..start + 8].copy_from_slice(&crc.to_be_bytes());
}

/// Reads the frame at the start of `bytes`; says what is wrong when there is no whole one.
pub(crate) fn decode(bytes: &Bytes) -> Result<Frame, &'static str> {
    if bytes.len() < HEADER_BYTES {
        return Err("the file ends within a header");
    }
    let mut header = &bytes[..HEADER_BYTES];
    if header.get_u32() != MAGIC {
        return Err("there is no frame here");
    }
    let crc = header.get_u32();
    let length = usize::try_from(header.get_u32()).unwrap_or(usize::MAX);
    let partition = PartitionId(header.get_u16());
    let kind = header.get_u16();
    let first_lsn = Lsn(header.get_u64());
    let count = header.get_u32();
    let synced = Position { segment: header.get_u64(), offset: header.get_u64() };
    let Some(len) = HEADER_BYTES.checked_add(length).filter(|len| *len <= bytes.len()) else {
        return Err("the file ends within a frame");
    };
    if crc32c::crc32c(&bytes[8..len]) != crc {
        return Err("the checksum does not match");
    }
    let batch = match kind {
        KIND_BATCH => {
            let records = records(bytes.slice(HEADER_BYTES..len), count)
                .ok_or("the records do not fit the frame")?;
            Some(Batch { partition, first_lsn, records })
        }
        KIND_SEAL => None,
        _ => return Err("the kind of frame is unknown"),
    };
    Ok(Frame { batch, synced, len })
}

fn records(mut payload: Bytes, count: u32) -> Option<Vec<Bytes>> {
    let mut records = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(payload.try_get_u32().ok()?).ok()?;
        if payload.len() < length {
            return None;
        }
        records.push(payload.split_to(length));
    }
    payload.is_empty().then_some(records)
}
