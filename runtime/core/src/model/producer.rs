//! Producers: external sources that submit numbered invocations, such as a partition of a Kafka
//! topic.

use serde::{Deserialize, Serialize};

/// A producer's progress. Anything it submits at a position that is not after its last one is a
/// duplicate.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// Identifies the series of offsets: a producer that starts over uses a higher epoch.
    pub epoch: u64,
    /// The position within the series; there may be gaps.
    pub offset: u64,
}
