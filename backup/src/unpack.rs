//! Reads a backup as it arrives, and checks it against its manifest.

use std::io::{self, Read};

use crate::{
    About, FORMAT, Manifest, PIECE_BYTES_MAX, Part, PartSum,
    manifest::{ABOUT, FAILED, MANIFEST, is_plain},
    tar::{self, BLOCK_BYTES, Header},
};

/// Longest text of an entry that is not a part, in bytes: a manifest has a line for each of up to
/// 256 partitions and their parts.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Why an archive is not a backup that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It is something else.
    #[error("it is not a backup: {0}")]
    Stranger(&'static str),
    /// It was written by a newer version of this software.
    #[error(
        "it is a backup of format {found}, made by abide {by}, and this version can read format \
         {FORMAT}: use abide {needs} or newer"
    )]
    Format {
        /// Its format.
        found: u32,
        /// The version that made it.
        by: String,
        /// The oldest version that can read it.
        needs: String,
    },
    /// It ends too early.
    #[error(
        "it ends after {bytes} bytes, {during}: it is not complete, and nothing in it can be used"
    )]
    CutOff {
        /// Its length.
        bytes: u64,
        /// What it ends in.
        during: String,
    },
    /// The server has given it up.
    #[error("the server gave it up: {0}")]
    GivenUp(String),
    /// It was changed.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// Reads an archive to its end, piece by piece, and checks it. `take` gets each piece with what the
/// archive says about itself; nothing that it gets is known to be right before this returns.
///
/// # Errors
/// Returns an error if the archive cannot be read or used, or if `take` does.
pub fn unpack<E>(
    input: &mut dyn Read,
    mut take: impl FnMut(Option<&About>, Part, &[u8]) -> Result<(), E>,
) -> Result<(Manifest, u64), UnpackError<E>> {
    let mut unpacker = Unpacker::default();
    let mut buffer = vec![0; PIECE_BYTES_MAX];
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnpackError::Read(error)),
        };
        let mut bytes = &buffer[..count];
        while let Some((part, piece)) = unpacker.next(&mut bytes).map_err(UnpackError::Archive)? {
            take(unpacker.about(), part, piece).map_err(UnpackError::Take)?;
        }
    }
    let bytes = unpacker.bytes();
    Ok((unpacker.finish().map_err(UnpackError::Archive)?, bytes))
}

/// Why an archive was not read to its end.
#[derive(Debug)]
pub enum UnpackError<E> {
    /// It cannot be read.
    Read(io::Error),
    /// It cannot be used.
    Archive(ArchiveError),
    /// What takes its pieces has failed.
    Take(E),
}

/// Reads an archive piece by piece. [`Unpacker::finish`] says whether it was all there.
#[derive(Debug, Default)]
pub struct Unpacker {
    /// Bytes read so far.
    bytes: u64,
    /// A header that is not complete yet.
    header: Vec<u8>,
    entry: Option<Entry>,
    /// Content of an entry that is not a part.
    text: Vec<u8>,
    about: Option<About>,
    parts: Vec<PartSum>,
    /// Pieces of the last part.
    pieces: u32,
    manifest: Option<Manifest>,
}

/// An entry that is being read.
#[derive(Debug)]
struct Entry {
    what: What,
    name: String,
    /// Bytes of its content that are still to come.
    left: u64,
    /// Bytes after its content, up to a whole block.
    padding: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    About,
    Part(Part),
    Manifest,
    Failed,
}

impl Unpacker {
    /// What the archive says about itself, once that has been read.
    pub fn about(&self) -> Option<&About> {
        self.about.as_ref()
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes bytes from the front of `input` and returns those that belong to a part; `None` once
    /// all of `input` has been taken. Nothing that is returned is known to be right before
    /// [`Unpacker::finish`].
    ///
    /// # Errors
    /// Returns an error if this cannot become a complete backup any more.
    pub fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<(Part, &'a [u8])>, ArchiveError> {
        while !input.is_empty() {
            let Some(entry) = &mut self.entry else {
                let wanted = BLOCK_BYTES - self.header.len();
                let taken = self.take(input, wanted as u64);
                self.header.extend_from_slice(taken);
                self.begin_entry()?;
                continue;
            };
            if entry.left == 0 {
                let padding = entry.padding;
                let skipped = self.take(input, padding).len() as u64;
                self.skip_padding(skipped);
                continue;
            }
            let (what, left) = (entry.what, entry.left);
            let content = self.take(input, left);
            if let Some(entry) = &mut self.entry {
                entry.left -= content.len() as u64;
            }
            let What::Part(part) = what else {
                self.text.extend_from_slice(content);
                if content.len() as u64 == left {
                    self.end_text(what)?;
                    self.skip_padding(0);
                }
                continue;
            };
            if let Some(sum) = self.parts.last_mut() {
                sum.bytes += content.len() as u64;
                sum.crc32c = crc32c::crc32c_append(sum.crc32c, content);
            }
            self.skip_padding(0);
            return Ok(Some((part, content)));
        }
        Ok(None)
    }

    /// The manifest, if the archive was complete and everything in it is as it says.
    ///
    /// # Errors
    /// Returns what is missing or different.
    pub fn finish(self) -> Result<Manifest, ArchiveError> {
        let during = match (&self.entry, &self.about) {
            (Some(entry), _) => format!("in {}", entry.name),
            (None, None) => "before it says what it is".to_owned(),
            (None, Some(_)) => match self.parts.last() {
                Some(part) => format!("after {}, without a manifest", part.name),
                None => "without a manifest".to_owned(),
            },
        };
        self.manifest.ok_or(ArchiveError::CutOff { bytes: self.bytes, during })
    }

    fn take<'a>(&mut self, input: &mut &'a [u8], at_most: u64) -> &'a [u8] {
        let len = usize::try_from(at_most).map_or(input.len(), |most| most.min(input.len()));
        let (taken, rest) = input.split_at(len);
        *input = rest;
        self.bytes += len as u64;
        taken
    }

    /// Leaves the entry once its content and its padding have been read.
    fn skip_padding(&mut self, skipped: u64) {
        if let Some(entry) = &mut self.entry {
            entry.padding -= skipped;
            if entry.left == 0 && entry.padding == 0 {
                self.entry = None;
            }
        }
    }

    /// Begins an entry if its header is complete.
    fn begin_entry(&mut self) -> Result<(), ArchiveError> {
        let Some(block) = self.header.first_chunk::<BLOCK_BYTES>() else { return Ok(()) };
        let header = match Header::decode(block) {
            Ok(header) => header,
            Err(why) if self.about.is_none() => return Err(ArchiveError::Stranger(why)),
            Err(why) => {
                return Err(self.damaged(why));
            }
        };
        self.header.clear();
        // What comes after the manifest are the zeros at the end, and whatever padding the archive
        // got from a tape or a pipe.
        let Some(Header { name, bytes }) = header else {
            return if self.manifest.is_some() {
                Ok(())
            } else if self.about.is_none() {
                Err(ArchiveError::Stranger("it begins with zeros"))
            } else {
                Err(self.damaged("it ends without a manifest"))
            };
        };
        let what = match name.as_str() {
            ABOUT => What::About,
            MANIFEST => What::Manifest,
            FAILED => What::Failed,
            _ => match Part::of_entry(&name) {
                Some((part, piece)) => {
                    self.begin_piece(part, piece)?;
                    What::Part(part)
                }
                None if self.about.is_none() => {
                    return Err(ArchiveError::Stranger("it has other files in it"));
                }
                None => return Err(self.damaged(&format!("it has a file {name:?} in it"))),
            },
        };
        if (what == What::About) != self.about.is_none() {
            return Err(if self.about.is_none() {
                ArchiveError::Stranger("it does not begin with what it is")
            } else {
                self.damaged("it begins twice")
            });
        }
        if self.manifest.is_some() {
            return Err(self.damaged(&format!("{name} follows its manifest")));
        }
        if !matches!(what, What::Part(_)) && !(1..=TEXT_BYTES_MAX).contains(&bytes) {
            return Err(self.damaged(&format!("{name} has {bytes} bytes")));
        }
        self.text.clear();
        self.entry = Some(Entry { what, name, left: bytes, padding: tar::padding(bytes) });
        self.skip_padding(0);
        Ok(())
    }

    /// Notes that another piece of a part begins.
    fn begin_piece(&mut self, part: Part, piece: u32) -> Result<(), ArchiveError> {
        let name = part.to_string();
        if self.parts.last().is_none_or(|last| last.name != name) {
            if self.parts.iter().any(|known| known.name == name) {
                return Err(self.damaged(&format!("{part} continues after another part")));
            }
            self.parts.push(PartSum { name, bytes: 0, crc32c: 0 });
            self.pieces = 0;
        }
        if piece != self.pieces + 1 {
            let pieces = self.pieces;
            return Err(self.damaged(&format!("piece {piece} of {part} follows piece {pieces}")));
        }
        self.pieces = piece;
        Ok(())
    }

    /// Reads an entry that is not a part.
    fn end_text(&mut self, what: What) -> Result<(), ArchiveError> {
        let text = String::from_utf8_lossy(&self.text).into_owned();
        match what {
            What::About => {
                self.about = Some(read_about(&text)?);
                Ok(())
            }
            What::Manifest => {
                let manifest = self.read_manifest(&text)?;
                self.compare(&manifest)?;
                self.manifest = Some(manifest);
                Ok(())
            }
            What::Failed => Err(ArchiveError::GivenUp(text.escape_debug().to_string())),
            What::Part(part) => unreachable!("{part} is not a text"),
        }
    }

    fn read_manifest(&self, text: &str) -> Result<Manifest, ArchiveError> {
        let (manifest, sum) = text.split_once('\n').unwrap_or((text, ""));
        let sum = u32::from_str_radix(sum.trim_end(), 16).ok();
        if sum != Some(crc32c::crc32c(manifest.as_bytes())) {
            return Err(self.damaged("the manifest does not match its checksum"));
        }
        serde_json::from_str(manifest)
            .map_err(|error| self.damaged(&format!("the manifest cannot be read: {error}")))
    }

    /// Compares what was read with what the manifest says.
    fn compare(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        if Some(&manifest.about) != self.about.as_ref() {
            return Err(self.damaged("its beginning is not that of its manifest"));
        }
        for expected in &manifest.parts {
            let name = &expected.name;
            let Some(found) = self.parts.iter().find(|part| part.name == *name) else {
                return Err(self.damaged(&format!("{name} is missing")));
            };
            if found.bytes != expected.bytes {
                let (found, expected) = (found.bytes, expected.bytes);
                return Err(
                    self.damaged(&format!("{name} has {found} bytes, and should have {expected}"))
                );
            }
            if found.crc32c != expected.crc32c {
                return Err(self.damaged(&format!("{name} does not match its checksum")));
            }
        }
        let known = |found: &&PartSum| manifest.parts.iter().all(|part| part.name != found.name);
        match self.parts.iter().find(known) {
            Some(part) => Err(self.damaged(&format!("its manifest does not have {}", part.name))),
            None => Ok(()),
        }
    }

    #[expect(clippy::unused_self, reason = "a method at every place where it is returned")]
    fn damaged(&self, why: &str) -> ArchiveError {
        ArchiveError::Damaged(why.to_owned())
    }
}

/// Reads the first entry. The format comes first: a newer one may have other fields.
fn read_about(text: &str) -> Result<About, ArchiveError> {
    let broken = |_| ArchiveError::Stranger("it does not say what it is");
    let about: serde_json::Value = serde_json::from_str(text).map_err(broken)?;
    let found = about["format"].as_u64().and_then(|format| u32::try_from(format).ok());
    let Some(found) = found else {
        return Err(ArchiveError::Stranger("it does not say what it is"));
    };
    if found != FORMAT {
        let word = |name: &str| about["writer"][name].as_str().filter(|it| is_plain(it));
        let word = |name: &str| word(name).unwrap_or("?").to_owned();
        return Err(ArchiveError::Format { found, by: word("version"), needs: word("needs") });
    }
    let about: About = serde_json::from_value(about).map_err(broken)?;
    about.check().map_err(ArchiveError::Damaged)?;
    Ok(about)
}
