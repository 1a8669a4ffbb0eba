//! The settings of an attempt.

use protocol::{ProtocolVersion, ids::Derivation, wire::frame::DEFAULT_MAX_MESSAGE_SIZE_BYTES};

use crate::{model::invocation::Pin, registry::HandlerSettings};

/// The settings of one attempt, from the registry and the node's configuration.
#[derive(Debug, Clone)]
pub struct AttemptOptions {
    /// The deployment it runs on and the protocol version spoken there.
    pub pin: Pin,
    /// Whether requests and responses overlap; otherwise the request ends after the journal.
    pub bidirectional: bool,
    /// Settings of its handler.
    pub handler: HandlerSettings,
    /// Settings shared by all attempts.
    pub node: NodeOptions,
}

/// The node's settings for all attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeOptions {
    /// The newest protocol version to use for new invocations.
    pub max_protocol: ProtocolVersion,
    /// How the ids of named callees are derived from their names.
    pub derivation: Derivation,
    /// The largest message that an SDK may send, in bytes.
    pub message_bytes_max: u32,
    /// Whether attempts whose request was never sent count against the retry policy, as they do in
    /// the Restate server.
    pub counts_unsent: bool,
}

impl Default for NodeOptions {
    /// The Restate server's defaults, except that unsent attempts are not counted.
    fn default() -> Self {
        Self {
            max_protocol: ProtocolVersion::MAX,
            derivation: Derivation::Plain,
            message_bytes_max: DEFAULT_MAX_MESSAGE_SIZE_BYTES,
            counts_unsent: false,
        }
    }
}
