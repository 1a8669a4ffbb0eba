//! Writes a backup, entry by entry.

use crate::{
    About, Manifest, PIECE_BYTES_MAX, Part, PartSum,
    manifest::{ABOUT, FAILED, MANIFEST},
    tar::{self, Header},
};

/// A backup being written. Each call returns the bytes that come next in the archive.
pub struct Packer {
    about: About,
    /// Time of all entries, in seconds since the epoch.
    time_s: u64,
    /// The parts so far; the last one may still grow.
    parts: Vec<PartSum>,
    pieces: u32,
}

impl Packer {
    /// Begins a backup.
    pub fn new(about: About, time_s: u64) -> (Self, Vec<u8>) {
        let packer = Self { about, time_s, parts: Vec::new(), pieces: 0 };
        let text = json(&packer.about);
        let entry = packer.entry(ABOUT, text.as_bytes());
        (packer, entry)
    }

    /// Adds a piece to a part. The pieces of a part follow each other.
    ///
    /// # Panics
    /// Panics if the piece is too large, or if the part was left before: its checksum would not be
    /// that of its content.
    pub fn piece(&mut self, part: Part, bytes: &[u8]) -> Vec<u8> {
        assert!(
            bytes.len() <= PIECE_BYTES_MAX,
            "a piece of {part} has {} bytes; the maximum is {PIECE_BYTES_MAX}",
            bytes.len()
        );
        let name = part.to_string();
        if self.parts.last().is_none_or(|last| last.name != name) {
            let is_new = self.parts.iter().all(|known| known.name != name);
            assert!(is_new, "{part} continues after another part");
            self.parts.push(PartSum { name, bytes: 0, crc32c: 0 });
            self.pieces = 0;
        }
        if let Some(sum) = self.parts.last_mut() {
            sum.bytes += bytes.len() as u64;
            sum.crc32c = crc32c::crc32c_append(sum.crc32c, bytes);
        }
        self.pieces += 1;
        self.entry(&part.entry(self.pieces), bytes)
    }

    /// Completes the backup.
    pub fn finish(self) -> Vec<u8> {
        let text = json(&Manifest { about: self.about.clone(), parts: self.parts.clone() });
        let text = format!("{text}\n{:08x}\n", crc32c::crc32c(text.as_bytes()));
        self.last(MANIFEST, &text)
    }

    /// Gives the backup up: the reader will be told why, and that it is none.
    pub fn fail(self, why: &str) -> Vec<u8> {
        self.last(FAILED, why)
    }

    fn last(&self, name: &str, text: &str) -> Vec<u8> {
        let mut entry = self.entry(name, text.as_bytes());
        entry.extend_from_slice(&tar::END);
        entry
    }

    fn entry(&self, name: &str, content: &[u8]) -> Vec<u8> {
        let header = Header { name: name.to_owned(), bytes: content.len() as u64 };
        let mut entry = header.encode(self.time_s).to_vec();
        entry.extend_from_slice(content);
        entry.resize(entry.len().next_multiple_of(tar::BLOCK_BYTES), 0);
        entry
    }
}

/// These types have nothing that JSON could refuse.
fn json(what: &impl serde::Serialize) -> String {
    match serde_json::to_string(what) {
        Ok(text) => text,
        Err(error) => unreachable!("a manifest cannot be written: {error}"),
    }
}
