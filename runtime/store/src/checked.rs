//! Rows with a checksum. A medium may return other bytes than were written, and redb verifies its
//! own checksums only when it repairs a file, so a corrupted row would go unnoticed.
//!
//! A value consists of the byte 128, the row as encoded by `runtime-core`, and a CRC-32C of key and
//! row, so that a row stored under the wrong key is also detected. Rows of older versions start
//! with their format, 1 or 2, and have no checksum until they are written again.

use runtime_core::tables::{Row, RowDecodeError};

/// The first byte of a value with a checksum; row format numbers are smaller.
const CHECKED: u8 = 128;
const CRC_BYTES: usize = 4;

/// Why a stored row could not be read back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The checksum does not match.
    #[error("its checksum does not match: the file is damaged")]
    Damaged,
    /// The row's format is unknown or malformed.
    #[error(transparent)]
    Row(#[from] RowDecodeError),
}

/// Encodes rows for a file, reusing its buffers.
#[derive(Default)]
pub(crate) struct Encoder {
    row: Vec<u8>,
    value: Vec<u8>,
}

impl Encoder {
    pub(crate) fn encode(&mut self, key: &[u8], row: &Row) -> &[u8] {
        self.row = row.encode(std::mem::take(&mut self.row));
        self.value.clear();
        self.value.push(CHECKED);
        self.value.extend_from_slice(&self.row);
        self.value.extend_from_slice(&checksum(key, &self.row).to_be_bytes());
        &self.value
    }
}

pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<Row, ReadError> {
    Ok(Row::decode(checked(key, value).ok_or(ReadError::Damaged)?)?)
}

/// Whether a stored value is what was written for this key, as far as a checksum can tell.
pub(crate) fn is_intact(key: &[u8], value: &[u8]) -> bool {
    checked(key, value).is_some()
}

/// The row in a value; `None` if the checksum does not match.
fn checked<'a>(key: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
    let Some((&CHECKED, rest)) = value.split_first() else { return Some(value) };
    let (row, crc) = rest.split_at(rest.len().checked_sub(CRC_BYTES)?);
    (checksum(key, row).to_be_bytes() == crc).then_some(row)
}

fn checksum(key: &[u8], row: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_and_every_changed_bit_is_noticed() {
        let row = Row::Bytes(b"hello".to_vec().into());
        let (key, mut encoder) = (b"key".to_vec(), Encoder::default());
        let value = encoder.encode(&key, &row).to_vec();
        assert_eq!(decode(&key, &value).unwrap(), row);
        for bit in 0..value.len() * 8 {
            let mut changed = value.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&key, &changed).is_err(), "bit {bit}");
        }
        assert!(matches!(decode(b"another", &value), Err(ReadError::Damaged)));
        assert!(matches!(decode(&key, &value[..3]), Err(ReadError::Damaged)));
        // The encoding of older versions.
        assert_eq!(decode(&key, &row.encode(Vec::new())).unwrap(), row);
    }
}
