//! Producers: those outside who hand in invocations and number them, such as a partition of a topic.

use serde::{Deserialize, Serialize};

/// How far a producer is. What it hands in at a position that is not behind its last one was handed in
/// before.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// Which series of offsets: a producer that begins anew has a higher one.
    pub epoch: u64,
    /// The place in that series; there may be gaps.
    pub offset: u64,
}
