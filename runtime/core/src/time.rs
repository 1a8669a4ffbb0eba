//! Time as data: nothing here can ask for it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since the epoch.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

/// The longest delay of a sleep or a send, in milliseconds: a hundred years. Longer than any data
/// directory lives, and short enough that every time made with it has a year of four digits, which is
/// all that its text form (RFC 3339) can say.
pub const DELAY_MAX_MS: u64 = 36_525 * 24 * 3_600_000;

impl Timestamp {
    /// The moment `duration_ms` milliseconds later; the end of time rather than an overflow.
    pub fn after_ms(self, duration_ms: u64) -> Self {
        Self(self.0.saturating_add(duration_ms))
    }
}

/// When a record was made: microseconds since the epoch, never the same twice on one node.
///
/// The leader stamps every record of every partition from one clock that only goes forward, so the
/// stamps of a node's records are ordered as their causes and effects are. That order is what
/// recovery follows when it hands over the messages between partitions again.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The stamp in whole milliseconds.
    pub fn at(self) -> Timestamp {
        Timestamp(self.0 / 1000)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stamp({}us)", self.0)
    }
}
