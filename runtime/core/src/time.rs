//! Time as data: nothing in this crate reads a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(pub u64);

/// The longest delay of a sleep or a send, in milliseconds: a hundred years. That outlasts any data
/// directory, yet every time computed with it still has a four-digit year, the most that its text
/// form (RFC 3339) can express.
pub const DELAY_MAX_MS: u64 = 36_525 * 24 * 3_600_000;

impl Timestamp {
    /// The time `duration_ms` milliseconds later, saturating at the largest timestamp.
    pub fn after_ms(self, duration_ms: u64) -> Self {
        Self(self.0.saturating_add(duration_ms))
    }
}

/// When a record was created: microseconds since the Unix epoch, unique on a node.
///
/// The leader stamps every record of every partition from a single clock that only moves forward,
/// so the stamps of a node's records respect causal order. Recovery follows that order when it
/// redelivers the messages between partitions.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp(pub u64);

impl Stamp {
    /// The stamp, truncated to milliseconds.
    pub fn at(self) -> Timestamp {
        Timestamp(self.0 / 1000)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stamp({}us)", self.0)
    }
}
