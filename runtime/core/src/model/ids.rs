//! Numbers and names.

use protocol::{PartitionKey, ids::Derivation};
use serde::{Deserialize, Serialize};

/// Number of a record in its partition's log: contiguous from 1; 0 means "nothing yet".
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Lsn(pub u64);

/// Number of a partition, from 0.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PartitionId(pub u16);

/// The registry's rows live on this partition.
pub const REGISTRY_PARTITION: PartitionId = PartitionId(0);

/// Names a request of an edge of this process, for its answer. Meaningless after a restart: the
/// answers of folded records go nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// Names an attempt: the invocation by the lsn that created it, and the lsn that started the try.
/// Neither is ever used again, so whatever a zombie proposes is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptRef {
    /// Lsn of the record that created the invocation.
    pub invocation: Lsn,
    /// Lsn of the record that started this attempt.
    pub attempt: Lsn,
}

/// The partition machine: what is fixed for it. Everything else is in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// This partition.
    pub id: PartitionId,
    /// How many there are; fixed when the data directory is created.
    pub count: u16,
    /// How ids of named invocations follow from their names; fixed with it.
    pub derivation: Derivation,
}

impl Partition {
    /// The partition that owns `key`: the key space is cut into `count` equal ranges.
    pub fn owner(count: u16, key: PartitionKey) -> PartitionId {
        let owner = (u128::from(key.0) * u128::from(count)) >> 64;
        assert!(owner < u128::from(count), "{key:?} belongs to partition {owner} of {count}");
        // Below `count`, so nothing is cut off.
        #[expect(clippy::cast_possible_truncation, reason = "it is below a u16")]
        PartitionId(owner as u16)
    }
}
