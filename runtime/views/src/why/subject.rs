//! Who waits.

use std::fmt;

use protocol::{InvocationId, PartitionKey};

/// Who waits, and is waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// An invocation.
    Invocation(InvocationId),
    /// A key of a virtual object or workflow: its lock, or its run.
    Key {
        /// Name of the service.
        service: String,
        /// The key.
        key: String,
    },
}

impl Subject {
    /// Selects the partition that knows it.
    pub fn partition_key(&self) -> PartitionKey {
        match self {
            Self::Invocation(id) => id.partition_key,
            Self::Key { key, .. } => PartitionKey::of_key(key),
        }
    }

    /// The name of its type in the APIs.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Invocation(_) => "invocation",
            Self::Key { .. } => "key",
        }
    }
}

/// Its id, or the service and the key.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invocation(id) => write!(f, "{id}"),
            Self::Key { service, key } => write!(f, "{service}/{key}"),
        }
    }
}
