//! What applies to an attempt.

use protocol::{ProtocolVersion, ids::Derivation, wire::frame::DEFAULT_MAX_MESSAGE_SIZE_BYTES};

use crate::{model::invocation::Pin, registry::HandlerSettings};

/// What the registry and the configuration say of the attempt's handler and deployment.
#[derive(Debug, Clone)]
pub struct AttemptOptions {
    /// Where it runs and what is spoken there.
    pub pin: Pin,
    /// Whether requests and responses overlap; otherwise the request ends after the journal.
    pub bidirectional: bool,
    /// What applies to its handler.
    pub handler: HandlerSettings,
    /// What applies to all attempts.
    pub node: NodeOptions,
}

/// What the node says of all attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOptions {
    /// The newest protocol that new invocations are spoken to in.
    pub max_protocol: ProtocolVersion,
    /// How ids of named callees follow from their names.
    pub derivation: Derivation,
    /// Largest message that an SDK may send, in bytes.
    pub message_bytes_max: u32,
    /// Whether attempts whose request was not even sent use up attempts of the retry policy, as they do
    /// on the real server.
    pub counts_unsent: bool,
}

impl Default for NodeOptions {
    /// As on the real server, but for attempts that were not sent.
    fn default() -> Self {
        Self {
            max_protocol: ProtocolVersion::MAX,
            derivation: Derivation::Plain,
            message_bytes_max: DEFAULT_MAX_MESSAGE_SIZE_BYTES,
            counts_unsent: false,
        }
    }
}
