//! Headers of a tar archive, as POSIX describes them (ustar): plain files with short names.

/// A header has one block, and the content of an entry is padded to whole ones.
pub(crate) const BLOCK_BYTES: usize = 512;

const NAME: std::ops::Range<usize> = 0..100;
const MODE: std::ops::Range<usize> = 100..108;
const SIZE: std::ops::Range<usize> = 124..136;
const TIME: std::ops::Range<usize> = 136..148;
const SUM: std::ops::Range<usize> = 148..156;
const KIND: usize = 156;
const FORMAT: std::ops::Range<usize> = 257..265;

/// A file, in the list of kinds.
const FILE: u8 = b'0';
const USTAR: &[u8; 8] = b"ustar\x0000";

/// An archive ends with two blocks of zeros.
pub(crate) const END: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    /// Length of the content.
    pub(crate) bytes: u64,
}

/// Bytes that follow a content of this length, up to a whole block.
pub(crate) fn padding(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK_BYTES as u64) - bytes
}

impl Header {
    /// The header of a file that only its owner may read, with a time in seconds since the epoch.
    ///
    /// # Panics
    /// Panics if the name or the content is too long for a header.
    pub(crate) fn encode(&self, time_s: u64) -> [u8; BLOCK_BYTES] {
        assert!(self.name.len() < NAME.len(), "'{}' is too long for a header", self.name);
        let mut block = [0; BLOCK_BYTES];
        block[..self.name.len()].copy_from_slice(self.name.as_bytes());
        put(&mut block[MODE], 0o600);
        put(&mut block[SIZE], self.bytes);
        put(&mut block[TIME], time_s);
        block[KIND] = FILE;
        block[FORMAT].copy_from_slice(USTAR);
        let sum = sum_of(&block);
        // Six digits, unlike the other numbers, then NUL and a space.
        let digits = format!("{sum:06o}\0 ");
        block[SUM].copy_from_slice(digits.as_bytes());
        block
    }

    /// Decodes a header; `None` if the archive ends here.
    pub(crate) fn decode(block: &[u8; BLOCK_BYTES]) -> Result<Option<Self>, &'static str> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if number(&block[SUM]) != Some(sum_of(block)) {
            return Err("there is no header of an entry here");
        }
        let name = block[NAME].split(|byte| *byte == 0).next().unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| "an entry has an unreadable name")?;
        if block[KIND] != FILE {
            return Err("an entry is not a file");
        }
        let bytes = number(&block[SIZE]).ok_or("an entry has no length")?;
        Ok(Some(Self { name: name.to_owned(), bytes }))
    }
}

/// Writes a number in octal digits, as many as fit, with a NUL at the end.
fn put(field: &mut [u8], number: u64) {
    let width = field.len() - 1;
    let digits = format!("{number:0width$o}");
    assert!(digits.len() == width, "{number} is too large for a header");
    field[..width].copy_from_slice(digits.as_bytes());
}

fn number(field: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(digits.trim_matches(['\0', ' ']), 8).ok()
}

/// Sum of all bytes, with spaces in place of the sum itself.
fn sum_of(block: &[u8; BLOCK_BYTES]) -> u64 {
    let others = block[..SUM.start].iter().chain(&block[SUM.end..]);
    others.map(|byte| u64::from(*byte)).sum::<u64>() + SUM.len() as u64 * u64::from(b' ')
}
