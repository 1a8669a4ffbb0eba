//! What a backup contains.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Name of the first entry.
pub(crate) const ABOUT: &str = "ABOUT";
/// Name of the last entry of a complete backup.
pub(crate) const MANIFEST: &str = "MANIFEST";
/// Name of the last entry of a backup that the server gave up.
pub(crate) const FAILED: &str = "FAILED";

/// What is known when a backup begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version of the archive's format.
    pub format: u32,
    /// What has written the data in it.
    pub writer: Writer,
    /// When it was begun, in RFC 3339.
    pub taken_at: String,
    /// What each partition contributes, by number.
    pub partitions: Vec<PartitionCut>,
    /// Estimated length of the archive, in bytes.
    pub estimated_bytes: u64,
}

/// The last LSN that a backup may have: at a million records per second, 4 years' worth, and so few
/// that sums over all partitions do not overflow.
const LSN_MAX: u64 = 1 << 47;
/// The longest version or time, in bytes.
const WORD_BYTES_MAX: usize = 100;

impl About {
    /// Whether it can be true: its words are shown to people, and its numbers added up. The error
    /// is what cannot be.
    pub(crate) fn check(&self) -> Result<(), String> {
        let words = [&self.writer.version, &self.writer.needs, &self.taken_at];
        if let Some(word) = words.into_iter().find(|word| !is_plain(word)) {
            let shown: String = word.chars().take(WORD_BYTES_MAX).collect();
            return Err(format!("it says {shown:?} about itself"));
        }
        for (number, cut) in self.partitions.iter().enumerate() {
            let PartitionCut { tables_lsn, last_lsn } = *cut;
            if tables_lsn > last_lsn || last_lsn > LSN_MAX {
                return Err(format!(
                    "partition {number} has tables as of LSN {tables_lsn}, and records up to LSN \
                     {last_lsn}"
                ));
            }
        }
        Ok(())
    }
}

/// Whether a word is one that can be printed as it is.
pub(crate) fn is_plain(word: &str) -> bool {
    word.len() <= WORD_BYTES_MAX && word.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The version of the software that has written some data, and what it takes to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// Its version.
    pub version: String,
    /// The oldest version that can read the data.
    pub needs: String,
    /// Number of the newest format of each kind of data.
    pub formats: BTreeMap<String, u64>,
}

/// Where a backup cuts through a partition: its state is that of its tables with the records after
/// them folded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionCut {
    /// The last record that the tables contain.
    pub tables_lsn: u64,
    /// The last record of the partition.
    pub last_lsn: u64,
}

/// Everything that is in a complete backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What the archive began with.
    pub about: About,
    /// Its parts, in order.
    pub parts: Vec<PartSum>,
}

impl Manifest {
    /// Bytes of all parts.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}

/// A part's length and checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSum {
    /// Name of the part.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its CRC-32C.
    pub crc32c: u32,
}

/// A part of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The data directory's `LAYOUT`.
    Layout,
    /// The data directory's `SECRET`.
    Secret,
    /// The records of a partition that its tables do not contain.
    Records(u16),
    /// The rows of a partition's tables.
    Rows(u16),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout => f.write_str("LAYOUT"),
            Self::Secret => f.write_str("SECRET"),
            Self::Records(partition) => write!(f, "records-{partition}"),
            Self::Rows(partition) => write!(f, "rows-{partition}"),
        }
    }
}

impl Part {
    /// Name of the entry that holds a piece of the part; pieces count from 1.
    pub(crate) fn entry(self, piece: u32) -> String {
        match self {
            Self::Layout | Self::Secret => self.to_string(),
            Self::Records(_) | Self::Rows(_) => format!("{self}.{piece:06}"),
        }
    }

    /// The part and the piece that an entry holds; `None` if it is not the name of one.
    pub(crate) fn of_entry(name: &str) -> Option<(Self, u32)> {
        match name {
            "LAYOUT" => return Some((Self::Layout, 1)),
            "SECRET" => return Some((Self::Secret, 1)),
            _ => (),
        }
        let (part, piece) = name.split_once('.')?;
        let (kind, partition) = part.split_once('-')?;
        let partition = partition.parse().ok()?;
        let part = match kind {
            "records" => Self::Records(partition),
            "rows" => Self::Rows(partition),
            _ => return None,
        };
        Some((part, piece.parse().ok()?))
    }
}
