//! A frame: one batch, or a seal, with its checksum.
//!
//! ```text
//! offset  size  what (integers are big-endian)
//!      0     8  magic: 8 random bytes, those of the segment
//!      8     4  CRC-32C of everything after it, header and payload
//!     12     4  length of the payload
//!     16     2  partition
//!     18     2  kind: 1 batch, 2 seal
//!     20     8  lsn of the first record
//!     28     4  number of records
//!     32     8  segment of the last synced position when this was written
//!     40     8  offset of the last synced position when this was written
//!     48     -  payload: each record as its length (4 bytes) and its bytes
//! ```
//!
//! In format 1 segments the magic is AB 1D E1 06 and everything after it is 4 bytes earlier.
//!
//! The synced position tells a torn tail from damage: at most the frames of one group commit are
//! not synced yet, so a broken frame at a position that a later frame records as synced was once
//! intact. A seal carries nothing but that position, for the last batches of a log that goes idle.
//! The magic is random because payloads come from clients: a client cannot craft a payload that
//! looks like a frame of the segment it ends up in.

use bytes::{Buf, BufMut, Bytes};

use crate::{BATCH_BYTES_MAX, Batch, Lsn, PartitionId};

/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 48;
const HEADER_BYTES_OF_FORMAT_1: usize = 44;
const MAGIC_OF_FORMAT_1: [u8; 4] = [0xAB, 0x1D, 0xE1, 0x06];
const KIND_BATCH: u16 = 1;
const KIND_SEAL: u16 = 2;

/// The bytes that every frame of a segment starts with, depending on its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Magic {
    /// Format 1: the same four bytes in every segment.
    One,
    /// Since format 2: eight random bytes per segment.
    Two([u8; 8]),
}

impl Magic {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::One => &MAGIC_OF_FORMAT_1,
            Self::Two(magic) => magic,
        }
    }

    pub(crate) fn header_bytes(self) -> usize {
        match self {
            Self::One => HEADER_BYTES_OF_FORMAT_1,
            Self::Two(_) => HEADER_BYTES,
        }
    }

    /// Largest possible payload. Format 1 had no limit other than its length field.
    fn payload_bytes_max(self) -> u64 {
        match self {
            Self::One => u64::from(u32::MAX),
            Self::Two(_) => BATCH_BYTES_MAX,
        }
    }
}

/// A position in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Number of the segment.
    pub(crate) segment: u64,
    /// Byte offset in the segment.
    pub(crate) offset: u64,
}

/// A frame that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What it carries; `None` for a seal.
    pub(crate) batch: Option<Batch>,
    /// Everything before this position was on disk when the frame was written.
    pub(crate) synced: Position,
    /// Length of the frame in bytes.
    pub(crate) len: u64,
}

/// Bytes that a batch takes up in a segment; 0 for a barrier, which is not written.
pub(crate) fn batch_bytes(batch: &Batch) -> u64 {
    if batch.records.is_empty() { 0 } else { HEADER_BYTES as u64 + batch.payload_bytes() }
}

/// Appends the frame of a batch.
pub(crate) fn encode_batch(magic: [u8; 8], batch: &Batch, synced: Position, into: &mut Vec<u8>) {
    assert!(
        !batch.records.is_empty(),
        "a barrier of partition {} is written, but no space was planned for it",
        batch.partition.0
    );
    let header = Header {
        kind: KIND_BATCH,
        partition: batch.partition,
        first_lsn: batch.first_lsn,
        count: length(batch.records.len()),
        synced,
    };
    encode(magic, &header, into, |into| {
        for record in &batch.records {
            into.put_u32(length(record.len()));
            into.extend_from_slice(record);
        }
    });
}

/// Appends a seal.
pub(crate) fn encode_seal(magic: [u8; 8], synced: Position, into: &mut Vec<u8>) {
    let (partition, first_lsn) = (PartitionId(0), Lsn(0));
    let header = Header { kind: KIND_SEAL, partition, first_lsn, count: 0, synced };
    encode(magic, &header, into, |_| ());
}

struct Header {
    kind: u16,
    partition: PartitionId,
    first_lsn: Lsn,
    count: u32,
    synced: Position,
}

fn encode(magic: [u8; 8], header: &Header, into: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&magic);
    into.put_u32(0);
    into.put_u32(0);
    into.put_u16(header.partition.0);
    into.put_u16(header.kind);
    into.put_u64(header.first_lsn.0);
    into.put_u32(header.count);
    into.put_u64(header.synced.segment);
    into.put_u64(header.synced.offset);
    assert!(
        into.len() - start == HEADER_BYTES,
        "the header of a frame has {} bytes, but is read as {HEADER_BYTES}",
        into.len() - start
    );
    payload(into);
    let len = length(into.len() - start - HEADER_BYTES);
    into[start + 12..start + 16].copy_from_slice(&len.to_be_bytes());
    let crc = crc32c::crc32c(&into[start + 12..]);
    into[start + 8..start + 12].copy_from_slice(&crc.to_be_bytes());
}

/// Converts a length to its form in a frame.
///
/// # Panics
/// Panics if it is too large: a truncated length would be read back as something else.
fn length(len: usize) -> u32 {
    match u32::try_from(len) {
        Ok(length) if u64::from(length) <= BATCH_BYTES_MAX => length,
        _ => panic!("a frame has a length field of {len}; the maximum is {BATCH_BYTES_MAX}"),
    }
}

/// The fields of a frame's header, not yet checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    crc: u32,
    partition: PartitionId,
    kind: u16,
    first_lsn: Lsn,
    count: u32,
    pub(crate) synced: Position,
    /// Length of the whole frame in bytes.
    pub(crate) len: u64,
}

impl Claim {
    /// Reads the header at the start of `bytes`.
    pub(crate) fn read(bytes: &[u8], magic: Magic) -> Result<Self, &'static str> {
        if bytes.len() < magic.header_bytes() {
            return Err("the file ends within a header");
        }
        let (start, mut rest) = bytes.split_at(magic.bytes().len());
        if start != magic.bytes() {
            return Err("there is no frame here");
        }
        let crc = rest.get_u32();
        let payload_bytes = u64::from(rest.get_u32());
        let claim = Self {
            crc,
            partition: PartitionId(rest.get_u16()),
            kind: rest.get_u16(),
            first_lsn: Lsn(rest.get_u64()),
            count: rest.get_u32(),
            synced: Position { segment: rest.get_u64(), offset: rest.get_u64() },
            len: magic.header_bytes() as u64 + payload_bytes,
        };
        if payload_bytes > magic.payload_bytes_max() {
            return Err("the frame is longer than the maximum");
        }
        Ok(claim)
    }

    /// Checks the whole frame, which `bytes` must be, and extracts its records.
    pub(crate) fn check(&self, bytes: &Bytes, magic: Magic) -> Result<Frame, &'static str> {
        let header_bytes = magic.header_bytes();
        if bytes.len() as u64 != self.len || bytes.len() < header_bytes {
            return Err("the file ends within a frame");
        }
        if crc32c::crc32c(&bytes[magic.bytes().len() + 4..]) != self.crc {
            return Err("the checksum does not match");
        }
        let batch = match self.kind {
            KIND_BATCH => {
                let records = records(bytes.slice(header_bytes..), self.count)
                    .ok_or("the records do not fit the frame")?;
                Some(Batch { partition: self.partition, first_lsn: self.first_lsn, records })
            }
            KIND_SEAL => None,
            _ => return Err("the frame has an unknown kind"),
        };
        Ok(Frame { batch, synced: self.synced, len: self.len })
    }
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
