//! Rows and records in a part: byte strings, each after its length in four bytes (big-endian).

use crate::PIECE_BYTES_MAX;

/// Largest item, in bytes: above that of the largest record and the largest row.
const ITEM_BYTES_MAX: usize = 256 << 20;

/// A part does not consist of items.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemsError {
    /// An item is longer than any can be.
    #[error("an item has {0} bytes, more than any can have")]
    TooLong(usize),
    /// The part ends within an item.
    #[error("it ends within an item")]
    CutOff,
}

/// Appends an item.
///
/// # Panics
/// Panics if it is longer than any can be: it could not be read back.
pub fn put(into: &mut Vec<u8>, item: &[u8]) {
    let len = u32::try_from(item.len()).ok().filter(|_| item.len() <= ITEM_BYTES_MAX);
    let Some(len) = len else {
        panic!("an item has {} bytes; the maximum is {ITEM_BYTES_MAX}", item.len());
    };
    into.extend_from_slice(&len.to_be_bytes());
    into.extend_from_slice(item);
}

/// Puts the items of a part together from its pieces.
#[derive(Debug, Default)]
pub struct Items {
    bytes: Vec<u8>,
    /// How much of `bytes` has been returned.
    at: usize,
}

impl Items {
    /// Adds a piece.
    pub fn push(&mut self, piece: &[u8]) {
        if self.at > 0 {
            self.bytes.drain(..self.at);
            self.at = 0;
            // One large item need not cost its memory to the end.
            self.bytes.shrink_to(4 * PIECE_BYTES_MAX);
        }
        self.bytes.extend_from_slice(piece);
    }

    /// The next `N` items, if all of them are there.
    ///
    /// # Errors
    /// Returns an error if one is longer than any can be.
    pub fn take<const N: usize>(&mut self) -> Result<Option<[&[u8]; N]>, ItemsError> {
        let mut ranges = [(0, 0); N];
        let mut at = self.at;
        for range in &mut ranges {
            let Some(len) = self.bytes[at..].first_chunk::<4>() else { return Ok(None) };
            let len = u32::from_be_bytes(*len) as usize;
            if len > ITEM_BYTES_MAX {
                return Err(ItemsError::TooLong(len));
            }
            at += 4;
            if self.bytes.len() - at < len {
                return Ok(None);
            }
            *range = (at, at + len);
            at += len;
        }
        self.at = at;
        Ok(Some(ranges.map(|(from, to)| &self.bytes[from..to])))
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// Returns an error if the part ends within an item.
    pub fn finish(&self) -> Result<(), ItemsError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(ItemsError::CutOff) }
    }
}
