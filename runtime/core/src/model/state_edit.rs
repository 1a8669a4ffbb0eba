//! Edits of state by operators, and what the audit keeps of them.

use bytes::Bytes;
use protocol::{InvocationId, StateVersion};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::operator::Operator;
use crate::time::Timestamp;

/// What is to become of the state of one virtual object or workflow key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEdit {
    /// Name of the service.
    pub service: String,
    /// Key of the virtual object or workflow.
    pub key: String,
    /// What to change.
    pub change: StateChange,
    /// The version of the state that the change is meant for; `None` for any. It counts when the
    /// edit is applied.
    pub expected: Option<StateVersion>,
}

/// What to change. The order of the variants is persisted: append only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateChange {
    /// These entries become the state; all others are removed.
    Replace(Vec<(Bytes, Bytes)>),
    /// Some entries are changed, and all others stay.
    Patch {
        /// State keys and their new values.
        set: Vec<(Bytes, Bytes)>,
        /// State keys to remove, after that.
        clear: Vec<Bytes>,
    },
}

/// What has become of an edit. The order of the variants is persisted: append only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EditOutcome {
    /// It is applied.
    Done,
    /// It is not applied: the state has another version than the expected one.
    Conflict,
    /// It waits until no invocation holds the key.
    Queued {
        /// The one that holds it now.
        behind: InvocationId,
    },
    /// It is not applied: too many edits of the key wait already, or too large ones.
    TooMany,
}

/// An edit that waits until no invocation holds its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingEdit {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Who asked for it.
    pub operator: Operator,
    /// What was asked for.
    pub edit: StateEdit,
}

/// Version and size of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSummary {
    /// Its version.
    pub version: StateVersion,
    /// The number of its entries.
    pub entries: u64,
    /// The bytes of all keys and values.
    pub bytes: u64,
}

/// An edit, as the audit keeps it: applied, refused or queued. One that was queued is kept a second
/// time when its turn comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedEdit {
    /// When its outcome was decided.
    pub at: Timestamp,
    /// When it was asked for: earlier, if it has waited.
    pub asked_at: Timestamp,
    /// Who asked for it.
    pub operator: Operator,
    /// Name of the service.
    pub service: String,
    /// Key of the virtual object or workflow.
    pub key: String,
    /// Whether the whole state was to be replaced.
    pub is_replacement: bool,
    /// What became of it.
    pub outcome: EditOutcome,
    /// The state before; `None` if nobody has looked at it.
    pub before: Option<StateSummary>,
    /// The state after; `None` if it was not applied.
    pub after: Option<StateSummary>,
    /// The entries that have changed, as many as the audit has space for.
    pub changes: Vec<ChangedEntry>,
    /// How many more have changed.
    pub changes_omitted: u64,
}

/// A state entry before and after an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedEntry {
    /// The state key.
    pub key: Sample,
    /// The value before; `None` if there was none.
    pub before: Option<Sample>,
    /// The value after; `None` if it was removed.
    pub after: Option<Sample>,
}

/// Bytes as the audit keeps them. The order of the variants is persisted: append only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sample {
    /// All of them.
    Whole(Bytes),
    /// Too many to be kept.
    Hashed {
        /// How many.
        bytes: u64,
        /// Their hash.
        sha256: [u8; 32],
    },
}

/// The longest value that the audit keeps as it is, in bytes.
const SAMPLE_BYTES_MAX: usize = 1 << 10;

impl Sample {
    /// What the audit keeps of `bytes`.
    pub fn of(bytes: &Bytes) -> Self {
        if bytes.len() <= SAMPLE_BYTES_MAX {
            return Self::Whole(bytes.clone());
        }
        Self::Hashed { bytes: bytes.len() as u64, sha256: Sha256::digest(bytes).into() }
    }

    /// How many bytes it takes to keep it, except for a fixed overhead.
    pub fn kept_bytes(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Hashed { sha256, .. } => sha256.len(),
        }
    }
}
