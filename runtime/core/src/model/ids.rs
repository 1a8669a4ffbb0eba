//! Ids of records, partitions, requests and attempts.

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

/// The partition that holds the registry's rows.
pub const REGISTRY_PARTITION: PartitionId = PartitionId(0);

/// Identifies a request from an edge of this process, so that its answer finds it. Meaningless
/// after a restart: answers produced while folding the log are discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// Identifies an attempt by the LSN that created its invocation and the LSN that started the
/// attempt. Neither is ever reused, so proposals from a stale attempt are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptRef {
    /// LSN of the record that created the invocation.
    pub invocation: Lsn,
    /// LSN of the record that started this attempt.
    pub attempt: Lsn,
}

/// The partition state machine's fixed parameters. All other state is in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// The id of this partition.
    pub id: PartitionId,
    /// The number of partitions; fixed when the data directory is created.
    pub count: u16,
    /// How the ids of named invocations are derived from their names; fixed at the same time.
    pub derivation: Derivation,
}

impl Partition {
    /// The partition that owns `key`: the key space is divided into `count` equal ranges.
    pub fn owner(count: u16, key: PartitionKey) -> PartitionId {
        let owner = (u128::from(key.0) * u128::from(count)) >> 64;
        assert!(owner < u128::from(count), "{key:?} belongs to partition {owner} of {count}");
        // It is below `count`, so nothing is truncated.
        #[expect(clippy::cast_possible_truncation, reason = "it is below a u16")]
        PartitionId(owner as u16)
    }
}
