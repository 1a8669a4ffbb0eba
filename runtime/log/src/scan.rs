//! Reads a segment frame by frame, never more of it at a time than a frame or a chunk.

use std::io;

use bytes::Bytes;

use crate::{
    disk::Disk,
    frame::{Claim, Frame, Magic, Position},
};

/// How much is read at a time, unless a frame is larger: enough to make the cost of a read
/// negligible.
const CHUNK_BYTES: u64 = 256 * 1024;

/// Why no frame could be read.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// A disk operation failed.
    Io(io::Error),
    /// The bytes are not a valid frame.
    Broken(&'static str),
}

/// The frames of a segment in order.
pub(crate) struct Frames<'a, D> {
    chunk: Chunk<'a, D>,
    magic: Magic,
    offset: u64,
}

/// A part of a file, held in memory.
struct Chunk<'a, D> {
    disk: &'a D,
    name: String,
    /// Offset at which reading ends, at most the length of the file.
    end: u64,
    at: u64,
    bytes: Bytes,
}

impl<'a, D: Disk> Frames<'a, D> {
    /// The frames from `offset` up to `end`.
    pub(crate) fn new(disk: &'a D, name: &str, magic: Magic, offset: u64, end: u64) -> Self {
        let name = name.to_owned();
        Self { chunk: Chunk { disk, name, end, at: 0, bytes: Bytes::new() }, magic, offset }
    }

    /// Offset at which the next frame starts.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next frame. After a flaw the offset is that of the flaw.
    pub(crate) fn read(&mut self) -> Option<Result<Frame, Flaw>> {
        if self.offset >= self.chunk.end {
            return None;
        }
        let frame = self.chunk.claim(self.magic, self.offset).and_then(|claim| {
            let frame = self.chunk.frame(&claim, self.magic, self.offset)?;
            self.offset += frame.len;
            Ok(frame)
        });
        Some(frame)
    }

    /// Whether any intact frame after the current offset, wherever it is, records a position beyond
    /// that offset as synced. Such a frame proves that the frame at the current offset was once
    /// intact.
    pub(crate) fn is_vouched_for(&self, segment: u64) -> io::Result<bool> {
        let broken = self.offset;
        self.is_any(|here, synced| {
            synced.segment == segment && synced.offset > broken && synced.offset <= here
        })
    }

    /// Whether there is an intact frame anywhere from the current offset on.
    pub(crate) fn is_any_behind(&self) -> io::Result<bool> {
        self.is_any(|_, _| true)
    }

    /// Whether there is an intact frame, at any offset, for which `is_wanted` accepts its offset
    /// and its synced position. Checksums are computed only for those.
    fn is_any(&self, is_wanted: impl Fn(u64, Position) -> bool) -> io::Result<bool> {
        let (mut search, mut claims) = (self.chunk.other(), self.chunk.other());
        let magic = self.magic.bytes();
        let mut at = self.offset;
        while at + (magic.len() as u64) <= search.end {
            let bytes = search.get(at, CHUNK_BYTES)?;
            if bytes.len() < magic.len() {
                break; // The file has shrunk.
            }
            for found in positions(&bytes, magic) {
                let here = at + found as u64;
                let claim = match claims.claim(self.magic, here) {
                    Ok(claim) => claim,
                    Err(Flaw::Broken(_)) => continue,
                    Err(Flaw::Io(error)) => return Err(error),
                };
                if is_wanted(here, claim.synced) && claims.frame(&claim, self.magic, here).is_ok() {
                    return Ok(true);
                }
            }
            // A magic that crosses the end of this chunk is found at the start of the next.
            at += (bytes.len() - (magic.len() - 1)) as u64;
        }
        Ok(false)
    }
}

impl Frame {
    /// The position that this frame, which starts at `here`, proves to be synced. A position after
    /// the start of the frame proves nothing.
    pub(crate) fn proves(&self, here: Position) -> Option<Position> {
        (self.synced <= here).then_some(self.synced)
    }
}

impl<D: Disk> Chunk<'_, D> {
    /// Another part of the same file.
    fn other(&self) -> Self {
        let name = self.name.clone();
        Self { disk: self.disk, name, end: self.end, at: 0, bytes: Bytes::new() }
    }

    fn claim(&mut self, magic: Magic, offset: u64) -> Result<Claim, Flaw> {
        let header = self.get(offset, magic.header_bytes() as u64).map_err(Flaw::Io)?;
        Claim::read(&header, magic).map_err(Flaw::Broken)
    }

    fn frame(&mut self, claim: &Claim, magic: Magic, offset: u64) -> Result<Frame, Flaw> {
        if claim.len > self.end - offset {
            return Err(Flaw::Broken("the file ends within a frame"));
        }
        let bytes = self.get(offset, claim.len).map_err(Flaw::Io)?;
        let len = usize::try_from(claim.len).map_err(|error| Flaw::Io(io::Error::other(error)))?;
        let len = len.min(bytes.len());
        claim.check(&bytes.slice(..len), magic).map_err(Flaw::Broken)
    }

    /// Reads at least `len` bytes from `offset` on, or all that are left before the end.
    fn get(&mut self, offset: u64, len: u64) -> io::Result<Bytes> {
        assert!(
            offset <= self.end,
            "{} is read at offset {offset}, but reading ends at {}",
            self.name,
            self.end
        );
        let left = self.end - offset;
        let len = len.min(left);
        let is_here = offset >= self.at && offset + len <= self.at + self.bytes.len() as u64;
        if !is_here {
            let wanted = len.max(CHUNK_BYTES).min(left);
            let wanted = usize::try_from(wanted).map_err(io::Error::other)?;
            self.bytes = Bytes::from(self.disk.read_at(&self.name, offset, wanted)?);
            self.at = offset;
        }
        let skipped = usize::try_from(offset - self.at).map_err(io::Error::other)?;
        Ok(self.bytes.slice(skipped.min(self.bytes.len())..))
    }
}

/// Offsets at which `pattern` occurs in `bytes`.
fn positions<'a>(bytes: &'a [u8], pattern: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(pattern.len()).enumerate().filter_map(move |(at, window)| {
        (window[0] == pattern[0] && window == pattern).then_some(at)
    })
}
