//! Ids of new invocations, and the clock that orders them.

use std::time::{SystemTime, UNIX_EPOCH};

use protocol::{InvocationId, PartitionKey, ids};
use runtime_partition::random;

/// A new time-ordered id, on the partition of `key` or, without one, on any.
pub(crate) fn new_invocation(key: Option<&str>) -> InvocationId {
    let partition_key = match key {
        Some(key) => PartitionKey::of_key(key),
        None => PartitionKey(random::next_u64()),
    };
    InvocationId { partition_key, uuid: ids::ulid(now_ms(), random::next_u128()) }
}

/// The wall clock, in milliseconds since the epoch.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
