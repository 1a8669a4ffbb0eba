//! Names and numbers of the HTTP surface that several crates share: between clients and the
//! ingress, and between the runtime and endpoints. Compatibility tests spell them out again on
//! purpose.
//!
//! The content types of invocation streams are in [`ProtocolVersion`](crate::ProtocolVersion),
//! those of manifests in [`discovery`](crate::discovery).

/// Header names.
pub mod header {
    /// A client's key that identifies retries of the same request. Source: the ingress API.
    pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
    /// On responses: until when the result of an idempotent request is kept. Source: the ingress
    /// API.
    pub const IDEMPOTENCY_EXPIRES: &str = "idempotency-expires";
    /// The invocation that a response is about. Source: the ingress API.
    pub const INVOCATION: &str = "x-restate-id";
    /// What caused an error response: the ingress or the invocation. Source: the ingress API.
    pub const ERROR_SOURCE: &str = "x-restate-error-source";
    /// The limit key of a scoped request. Source: the ingress API.
    pub const LIMIT_KEY: &str = "x-restate-limit-key";
    /// On requests to an endpoint: the invocation that the attempt belongs to. Source: the service
    /// protocol.
    pub const ATTEMPT_OF: &str = "x-restate-invocation-id";
    /// On responses of an endpoint: name and version of its SDK. Source: the service protocol.
    pub const SERVER: &str = "x-restate-server";
    /// Trailer: the SQLSTATE with which a query has failed after its first rows.
    pub const QUERY_CODE: &str = "abide-query-code";
    /// Trailer: the message that goes with it.
    pub const QUERY_MESSAGE: &str = "abide-query-message";
}

/// Content types.
pub mod content_type {
    /// JSON (RFC 8259): the default for values, and the type of error bodies.
    pub const JSON: &str = "application/json";
    /// Rows as an Arrow IPC stream. Source: the media types registered with IANA.
    pub const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";
    /// A tar archive. Not registered; what servers of files and browsers use.
    pub const TAR: &str = "application/x-tar";
}

/// Response status codes that are not registered for HTTP.
pub mod status {
    /// The requested result is not available yet. Source: the ingress API.
    pub const NOT_READY: u16 = 470;
}

/// Error codes of failed attempts that are not registered for HTTP. Source: the service protocol.
pub mod code {
    /// The handler issued a different command than the journal contains.
    pub const JOURNAL_MISMATCH: u32 = 570;
    /// The other side sent something that the protocol does not allow at that point.
    pub const PROTOCOL_VIOLATION: u32 = 571;
    /// The handler used a feature that the negotiated version does not have.
    pub const UNSUPPORTED_FEATURE: u32 = 573;
}

/// Path segments.
pub mod path {
    /// First segment of every ingress path that does not start with a service. Source: the ingress
    /// API.
    pub const RESTATE: &str = "restate";
    /// Call a handler and respond with its result: the default, explicit only after a scope.
    /// Source: the ingress API.
    pub const CALL: &str = "call";
    /// Start a handler and respond immediately. Source: the ingress API.
    pub const SEND: &str = "send";
    /// Precedes a scope. Source: the ingress API.
    pub const SCOPE: &str = "scope";
    /// Precedes an invocation's id, or what identifies it. Source: the ingress API.
    pub const INVOCATION: &str = "invocation";
    /// Precedes a workflow and its key. Source: the ingress API.
    pub const WORKFLOW: &str = "workflow";
    /// Wait for the result. Source: the ingress API.
    pub const ATTACH: &str = "attach";
    /// Read the result without waiting. Source: the ingress API.
    pub const OUTPUT: &str = "output";
    /// Precedes an awakeable's id. Source: the ingress API.
    pub const AWAKEABLES: &str = "awakeables";
    /// Complete an awakeable with a value. Source: the ingress API.
    pub const RESOLVE: &str = "resolve";
    /// Complete an awakeable with a failure. Source: the ingress API.
    pub const REJECT: &str = "reject";
    /// Request an endpoint's manifest. Source: the service protocol.
    pub const DISCOVER: &str = "discover";
    /// Precedes the service and the handler that an endpoint is to run. Source: the service
    /// protocol.
    pub const INVOKE: &str = "invoke";
}
