//! Words and numbers of the surface over HTTP that more than one crate says: between clients and the
//! ingress, and between the runtime and endpoints. Tests that are about compatibility repeat them.
//!
//! Content types of invocation streams are with [`ProtocolVersion`](crate::ProtocolVersion), those of
//! manifests with [`discovery`](crate::discovery).

/// Names of headers.
pub mod header {
    /// A client's key for "the same request again". Source: the ingress API.
    pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
    /// Until when the result of an idempotent request is kept, on its answers. Source: the ingress API.
    pub const IDEMPOTENCY_EXPIRES: &str = "idempotency-expires";
    /// The invocation that an answer is about. Source: the ingress API.
    pub const INVOCATION: &str = "x-restate-id";
    /// Who says that a request has failed: the ingress or the invocation. Source: the ingress API.
    pub const ERROR_SOURCE: &str = "x-restate-error-source";
    /// The limit key of a scoped request. Source: the ingress API.
    pub const LIMIT_KEY: &str = "x-restate-limit-key";
    /// The invocation that an attempt is of, on requests to an endpoint. Source: the service protocol.
    pub const ATTEMPT_OF: &str = "x-restate-invocation-id";
    /// Name and version of an endpoint's SDK, on its answers. Source: the service protocol.
    pub const SERVER: &str = "x-restate-server";
}

/// Content types.
pub mod content_type {
    /// JSON (RFC 8259): what values are unless somebody says otherwise, and what errors are.
    pub const JSON: &str = "application/json";
}

/// Status codes of answers that HTTP has not registered.
pub mod status {
    /// The result that was asked for is not there yet. Source: the ingress API.
    pub const NOT_READY: u16 = 470;
}

/// Codes of failed attempts that HTTP has not registered. Source: the service protocol.
pub mod code {
    /// The handler asks for something else than the journal says it did.
    pub const JOURNAL_MISMATCH: u32 = 570;
    /// The other side said something that the protocol does not allow there.
    pub const PROTOCOL_VIOLATION: u32 = 571;
    /// The handler asked for something that the negotiated version does not have.
    pub const UNSUPPORTED_FEATURE: u32 = 573;
}

/// Segments of paths.
pub mod path {
    /// The first of every path of the ingress that begins with no service. Source: the ingress API.
    pub const RESTATE: &str = "restate";
    /// Run a handler and answer with its result: the default, said where a scope is. Source: the ingress
    /// API.
    pub const CALL: &str = "call";
    /// Run a handler and answer at once. Source: the ingress API.
    pub const SEND: &str = "send";
    /// Before a scope. Source: the ingress API.
    pub const SCOPE: &str = "scope";
    /// Before an invocation's id, or what it is named by. Source: the ingress API.
    pub const INVOCATION: &str = "invocation";
    /// Before a workflow and its key. Source: the ingress API.
    pub const WORKFLOW: &str = "workflow";
    /// Wait for the result. Source: the ingress API.
    pub const ATTACH: &str = "attach";
    /// Look at the result. Source: the ingress API.
    pub const OUTPUT: &str = "output";
    /// Before an awakeable's id. Source: the ingress API.
    pub const AWAKEABLES: &str = "awakeables";
    /// Complete an awakeable with a value. Source: the ingress API.
    pub const RESOLVE: &str = "resolve";
    /// Complete an awakeable with a failure. Source: the ingress API.
    pub const REJECT: &str = "reject";
    /// What an endpoint offers. Source: the service protocol.
    pub const DISCOVER: &str = "discover";
    /// Before the service and the handler that an endpoint is to run. Source: the service protocol.
    pub const INVOKE: &str = "invoke";
}
