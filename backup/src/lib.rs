//! The format of a backup: one tar archive that can be written and checked as it streams by. It
//! knows nothing of what the parts of a node mean, so the command line can check a backup without
//! the runtime.
//!
//! ```text
//! ABOUT                  what is in it, and who made it; JSON
//! LAYOUT, SECRET         files of the data directory
//! records-P.000001 …     the records of partition P that its tables do not contain
//! rows-P.000001 …        the rows of partition P's tables
//! MANIFEST               ABOUT again, with length and checksum of every part; JSON, and its checksum
//! ```
//!
//! A part is cut into pieces of at most [`PIECE_BYTES_MAX`], because a tar archive states the length
//! of an entry before its content, and nobody knows that of a table before reading it. The manifest
//! comes last and names everything, so an archive that was cut off anywhere cannot be mistaken for a
//! backup. Instead of the manifest there may be `FAILED`, in which the server says why it gave up.
//!
//! Reading order: [`manifest`], `tar`, [`pack`], [`mod@unpack`], [`items`] (rows and records as bytes).

pub mod items;
pub mod manifest;
pub mod pack;
mod tar;
pub mod unpack;

pub use items::{Items, ItemsError};
pub use manifest::{About, Manifest, Part, PartSum, PartitionCut, Writer};
pub use pack::Packer;
pub use unpack::{ArchiveError, UnpackError, Unpacker, unpack};

/// Version of the format that is written. Newer ones are refused.
pub const FORMAT: u32 = 1;

/// Largest piece of a part, in bytes: large enough that its header costs nothing, small enough to be
/// held in memory a few times.
pub const PIECE_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests;
