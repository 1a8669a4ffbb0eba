//! Protocol versions: the ones we speak, the ones an endpoint speaks, and how one is negotiated.

use serde::{Deserialize, Serialize};

/// A version of the invocation protocol. V1 to V4 are obsolete upstream and never accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProtocolVersion {
    /// Immutable journal of commands and notifications.
    V5,
    /// Adds the random seed and failure metadata.
    V6,
    /// Adds await trees, run acknowledgements and scopes.
    V7,
}

/// A version number that we don't speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("service protocol version {0} is not supported; supported are 5 to 7")]
pub struct UnsupportedVersion(pub u32);

impl ProtocolVersion {
    /// The oldest version we speak.
    pub const MIN: Self = Self::V5;
    /// The newest version we speak.
    pub const MAX: Self = Self::V7;

    /// The number that identifies it in manifests.
    pub fn number(self) -> u32 {
        match self {
            Self::V5 => 5,
            Self::V6 => 6,
            Self::V7 => 7,
        }
    }

    /// Content type of its streams; both sides compare it byte for byte.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::V5 => "application/vnd.restate.invocation.v5",
            Self::V6 => "application/vnd.restate.invocation.v6",
            Self::V7 => "application/vnd.restate.invocation.v7",
        }
    }

    /// The version that a content type names; `None` if we don't speak it.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        [Self::V5, Self::V6, Self::V7].into_iter().find(|v| v.content_type() == content_type)
    }

    /// The newest version up to `max` that the endpoint also speaks; `None` if there isn't one.
    pub fn negotiate(endpoint_min: u32, endpoint_max: u32, max: Self) -> Option<Self> {
        [Self::V7, Self::V6, Self::V5]
            .into_iter()
            .filter(|version| *version <= max)
            .find(|version| (endpoint_min..=endpoint_max).contains(&version.number()))
    }

    /// Whether Start carries the random seed.
    pub fn has_random_seed(self) -> bool {
        self >= Self::V6
    }

    /// Whether failures carry metadata.
    pub fn has_failure_metadata(self) -> bool {
        self >= Self::V6
    }

    /// Whether a suspension carries an await tree.
    pub fn has_await_tree(self) -> bool {
        self >= Self::V7
    }

    /// Whether a bare acknowledgement may answer a run's proposal.
    pub fn has_run_ack(self) -> bool {
        self >= Self::V7
    }

    /// Whether calls have scopes and limit keys.
    pub fn has_scope(self) -> bool {
        self >= Self::V7
    }
}

impl TryFrom<u32> for ProtocolVersion {
    type Error = UnsupportedVersion;

    fn try_from(number: u32) -> Result<Self, UnsupportedVersion> {
        match number {
            5 => Ok(Self::V5),
            6 => Ok(Self::V6),
            7 => Ok(Self::V7),
            other => Err(UnsupportedVersion(other)),
        }
    }
}
