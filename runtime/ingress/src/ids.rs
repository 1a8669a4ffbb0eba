//! Ids of new invocations.

use protocol::{InvocationId, PartitionKey, ids};
use runtime_partition::random;

/// A new time-ordered id, on the partition of `key` or, without one, on any.
pub(crate) fn new_invocation(key: Option<&str>, now_ms: u64) -> InvocationId {
    let partition_key = match key {
        Some(key) => PartitionKey::of_key(key),
        None => PartitionKey(random::next_u64()),
    };
    InvocationId { partition_key, uuid: ids::ulid(now_ms, random::next_u128()) }
}
