//! Discovery: the manifest in which an endpoint describes its services, versions 2 to 4.
//!
//! Reading is lenient (unknown members are ignored, since they may come from a newer version);
//! writing is strict: a manifest of an older version never contains a newer member.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{HandlerKind, ServiceKind};

macro_rules! content_type {
    ($version:literal) => {
        concat!("application/vnd.restate.endpointmanifest.v", $version, "+json")
    };
}

/// The manifest versions that we read and write, newest first, with their content types.
pub const CONTENT_TYPES: [(u32, &str); 3] =
    [(4, content_type!(4)), (3, content_type!(3)), (2, content_type!(2))];

/// Accepts every manifest version we read. Exact tokens without parameters, since some SDKs compare
/// them literally.
pub const ACCEPT: &str = concat!(content_type!(4), ", ", content_type!(3), ", ", content_type!(2));

/// The manifest version that a response's content type names; `None` if it is not one we read.
pub fn version_of(content_type: &str) -> Option<u32> {
    let known = CONTENT_TYPES.into_iter().find(|(_, known)| *known == content_type);
    known.map(|(version, _)| version)
}

/// Everything an endpoint offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct Manifest {
    /// Whether requests and responses overlap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_mode: Option<ProtocolMode>,
    /// Oldest invocation protocol version it speaks.
    pub min_protocol_version: u32,
    /// Newest invocation protocol version it speaks.
    pub max_protocol_version: u32,
    /// The services it serves.
    pub services: Vec<Service>,
}

/// Whether requests and responses overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProtocolMode {
    /// Requests and responses are streamed concurrently.
    BidiStream,
    /// The request ends before the response begins.
    RequestResponse,
}

/// The kind of a service, as a manifest spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceType {
    /// Keyed state, one writer per key.
    VirtualObject,
    /// Stateless, without a key.
    Service,
    /// Keyed, with a `run` handler that runs once per key.
    Workflow,
}

impl ServiceType {
    fn name(self) -> &'static str {
        match self {
            Self::VirtualObject => "VIRTUAL_OBJECT",
            Self::Service => "SERVICE",
            Self::Workflow => "WORKFLOW",
        }
    }
}

impl From<ServiceType> for ServiceKind {
    fn from(ty: ServiceType) -> Self {
        match ty {
            ServiceType::VirtualObject => Self::VirtualObject,
            ServiceType::Service => Self::Service,
            ServiceType::Workflow => Self::Workflow,
        }
    }
}

/// The kind of a handler, as a manifest spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HandlerType {
    /// A workflow's `run`.
    Workflow,
    /// May write the key's state; one runs at a time per key.
    Exclusive,
    /// May read the key's state; runs concurrently with others.
    Shared,
}

impl HandlerType {
    fn name(self) -> &'static str {
        match self {
            Self::Workflow => "WORKFLOW",
            Self::Exclusive => "EXCLUSIVE",
            Self::Shared => "SHARED",
        }
    }
}

/// Settings that services and handlers have in common. Durations are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct Options {
    /// Human-readable description (v2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Arbitrary key/value pairs (v2).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Overrides the runtime's setting of the same name (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inactivity_timeout: Option<u64>,
    /// Overrides the runtime's setting of the same name (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_timeout: Option<u64>,
    /// Overrides the runtime's setting of the same name (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_retention: Option<u64>,
    /// Overrides the runtime's setting of the same name (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_retention: Option<u64>,
    /// How long a workflow's completion is kept; handlers of kind `WORKFLOW` only (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_completion_retention: Option<u64>,
    /// Overrides the runtime's setting of the same name (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_lazy_state: Option<bool>,
    /// Whether the ingress refuses to call it (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_private: Option<bool>,
    /// Overrides the runtime's setting of the same name (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_initial_interval: Option<u64>,
    /// Overrides the runtime's setting of the same name (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_max_interval: Option<u64>,
    /// Overrides the runtime's setting of the same name (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_max_attempts: Option<u32>,
    /// Overrides the runtime's setting of the same name (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_exponentiation_factor: Option<f64>,
    /// Overrides the runtime's setting of the same name (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_on_max_attempts: Option<OnMaxAttempts>,
}

/// The metadata of a service or a handler that says whether the runtime checks inputs against their
/// JSON schema: [`STRICT`] or [`OFF`]. A handler's counts before its service's, and without any,
/// inputs are not checked.
pub const INPUT_VALIDATION: &str = "abide.input-validation";
/// See [`INPUT_VALIDATION`].
pub const STRICT: &str = "strict";
/// See [`INPUT_VALIDATION`].
pub const OFF: &str = "off";

/// Treats null like an absent member.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What to do once the maximum number of attempts is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnMaxAttempts {
    /// Pause the invocation until an operator intervenes.
    Pause,
    /// Complete the invocation with the last failure.
    Kill,
}

/// A service that an endpoint offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct Service {
    /// Unique within the deployment.
    pub name: String,
    /// Decides which kinds of handlers it may have.
    pub ty: ServiceType,
    /// The handlers that can be called on it.
    pub handlers: Vec<Handler>,
    /// Defaults for all of its handlers.
    #[serde(flatten)]
    pub options: Options,
}

/// A handler of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct Handler {
    /// Unique within the service.
    pub name: String,
    /// Its kind; if absent, the kind of the service decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ty: Option<HandlerType>,
    /// The input it accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputPayload>,
    /// The output it returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputPayload>,
    /// Settings that take precedence over the service's.
    #[serde(flatten)]
    pub options: Options,
}

/// The input that a handler accepts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct InputPayload {
    /// Whether a body is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Accepted content type, in the syntax of an Accept header; absent if there must be no body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// JSON Schema of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<serde_json::Value>,
}

/// The output that a handler returns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct OutputPayload {
    /// Content type of the response; if absent, none is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether an empty response carries the content type too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_content_type_if_empty: Option<bool>,
    /// JSON Schema of the response body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<serde_json::Value>,
}

/// A manifest that contradicts itself or the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It does not declare whether requests and responses overlap.
    #[error("'protocolMode' is missing, expected BIDI_STREAM or REQUEST_RESPONSE")]
    NoProtocolMode,
    /// The range of versions is empty.
    #[error("minProtocolVersion is {min}, maxProtocolVersion {max}: expected 1 <= min <= max")]
    VersionRange {
        /// The oldest version it claims to speak.
        min: u32,
        /// The newest version it claims to speak.
        max: u32,
    },
    /// A name that could not be called.
    #[error(
        "'{0}' is not a valid name for a service or handler: expected a letter, then letters, digits and '_', for a \
         service also '.' and '-'; rename it"
    )]
    Name(String),
    /// A name reserved for the runtime.
    #[error("the service name '{0}' is reserved")]
    ReservedName(String),
    /// The same name is used twice.
    #[error("'{0}' occurs twice; rename one of them")]
    Duplicate(String),
    /// A handler of a kind that this kind of service can't have.
    #[error(
        "handler '{handler}' of '{service}' is {}, which a {} cannot have; change one of the two",
        ty.name(),
        service_ty.name()
    )]
    HandlerType {
        /// Name of the service.
        service: String,
        /// Name of the handler.
        handler: String,
        /// Kind declared for the handler.
        ty: HandlerType,
        /// Kind declared for the service.
        service_ty: ServiceType,
    },
    /// A setting that the requested, older manifest version can't express.
    #[error(
        "{option} on '{name}' needs manifest version {needed} or newer, but version {asked} was \
         requested; remove the setting or use a newer runtime"
    )]
    Version {
        /// Name of the setting.
        option: &'static str,
        /// Name of the service or handler that has it.
        name: String,
        /// The first version that supports it.
        needed: u32,
        /// The requested version.
        asked: u32,
    },
    /// Metadata that is neither [`STRICT`] nor [`OFF`].
    #[error(
        "metadata '{INPUT_VALIDATION}' of '{name}' is '{value}', expected {STRICT} or {OFF}; change it"
    )]
    InputValidation {
        /// Name of the service or handler that has it.
        name: String,
        /// Its value, or the beginning of it.
        value: String,
    },
    /// A setting that has no effect on this kind of handler.
    #[error("{option} on handler '{handler}' of '{service}' has no effect there; remove it")]
    Option {
        /// Name of the setting.
        option: &'static str,
        /// Name of the service.
        service: String,
        /// Name of the handler.
        handler: String,
    },
}

impl Manifest {
    /// Checks everything that can be checked without a registry.
    ///
    /// # Errors
    /// Returns the first contradiction found.
    pub fn validate(&self) -> Result<(), ManifestError> {
        if self.protocol_mode.is_none() {
            return Err(ManifestError::NoProtocolMode);
        }
        let (min, max) = (self.min_protocol_version, self.max_protocol_version);
        if min < 1 || min > max {
            return Err(ManifestError::VersionRange { min, max });
        }
        let mut names: Vec<&str> = self.services.iter().map(|service| &*service.name).collect();
        reject_duplicates(&mut names)?;
        self.services.iter().try_for_each(Service::validate)
    }
}

impl Manifest {
    /// Converts the manifest to an older version, if that version can express all of it.
    ///
    /// # Errors
    /// Returns an error for the first setting that the version lacks: dropping it silently would
    /// change how the services behave.
    pub fn in_version(self, asked: u32) -> Result<Self, ManifestError> {
        for service in &self.services {
            service.options.check_version(&service.name, asked)?;
            for handler in &service.handlers {
                handler.options.check_version(&handler.name, asked)?;
            }
        }
        Ok(self)
    }
}

impl Options {
    fn check_metadata(&self, name: &str) -> Result<(), ManifestError> {
        match self.metadata.get(INPUT_VALIDATION) {
            Some(value) if value != STRICT && value != OFF => {
                let value = value.chars().take(40).collect();
                Err(ManifestError::InputValidation { name: name.to_owned(), value })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_version(&self, name: &str, asked: u32) -> Result<(), ManifestError> {
        let settings = [
            ("inactivityTimeout", 3, self.inactivity_timeout.is_some()),
            ("abortTimeout", 3, self.abort_timeout.is_some()),
            ("journalRetention", 3, self.journal_retention.is_some()),
            ("idempotencyRetention", 3, self.idempotency_retention.is_some()),
            ("workflowCompletionRetention", 3, self.workflow_completion_retention.is_some()),
            ("enableLazyState", 3, self.enable_lazy_state.is_some()),
            ("ingressPrivate", 3, self.ingress_private.is_some()),
            ("retryPolicyInitialInterval", 4, self.retry_policy_initial_interval.is_some()),
            ("retryPolicyMaxInterval", 4, self.retry_policy_max_interval.is_some()),
            ("retryPolicyMaxAttempts", 4, self.retry_policy_max_attempts.is_some()),
            (
                "retryPolicyExponentiationFactor",
                4,
                self.retry_policy_exponentiation_factor.is_some(),
            ),
            ("retryPolicyOnMaxAttempts", 4, self.retry_policy_on_max_attempts.is_some()),
        ];
        match settings.into_iter().find(|(_, needed, is_set)| *is_set && *needed > asked) {
            None => Ok(()),
            Some((option, needed, _)) => {
                Err(ManifestError::Version { option, name: name.to_owned(), needed, asked })
            }
        }
    }
}

impl Service {
    fn validate(&self) -> Result<(), ManifestError> {
        if !is_name(&self.name, |c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
            return Err(ManifestError::Name(self.name.clone()));
        }
        let lower = self.name.to_ascii_lowercase();
        if lower.starts_with("restate") || lower == "openapi" {
            return Err(ManifestError::ReservedName(self.name.clone()));
        }
        let mut names: Vec<&str> = self.handlers.iter().map(|handler| &*handler.name).collect();
        reject_duplicates(&mut names)?;
        self.options.check_metadata(&self.name)?;
        for handler in &self.handlers {
            handler.options.check_metadata(&handler.name)?;
            if !is_name(&handler.name, |c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(ManifestError::Name(handler.name.clone()));
            }
            let kind = self.handler_kind(handler)?;
            let misplaced = |option| {
                let (service, handler) = (self.name.clone(), handler.name.clone());
                Err(ManifestError::Option { option, service, handler })
            };
            let options = &handler.options;
            if options.workflow_completion_retention.is_some() && kind != HandlerKind::Workflow {
                return misplaced("workflowCompletionRetention");
            }
            if options.idempotency_retention.is_some() && kind == HandlerKind::Workflow {
                return misplaced("idempotencyRetention");
            }
        }
        Ok(())
    }

    /// The kind of a handler of this service, whether declared or implied.
    ///
    /// # Errors
    /// Returns an error if a service of this kind can't have a handler of that kind.
    pub fn handler_kind(&self, handler: &Handler) -> Result<HandlerKind, ManifestError> {
        match (self.ty, handler.ty) {
            (ServiceType::Service, None | Some(HandlerType::Shared)) => Ok(HandlerKind::Service),
            (ServiceType::VirtualObject, None | Some(HandlerType::Exclusive)) => {
                Ok(HandlerKind::Exclusive)
            }
            (
                ServiceType::VirtualObject | ServiceType::Workflow,
                Some(HandlerType::Shared),
            )
            // The real server treats an unset kind this way, whatever the schema says.
            | (ServiceType::Workflow, None) => Ok(HandlerKind::Shared),
            (ServiceType::Workflow, Some(HandlerType::Workflow)) => Ok(HandlerKind::Workflow),
            (service_ty, Some(ty)) => Err(ManifestError::HandlerType {
                service: self.name.clone(),
                handler: handler.name.clone(),
                ty,
                service_ty,
            }),
        }
    }
}

/// A letter, or an underscore and a letter or digit, followed by any characters that `rest` allows.
fn is_name(name: &str, rest: impl Fn(char) -> bool) -> bool {
    let mut chars = name.chars();
    let starts_well = match chars.next() {
        Some('_') => chars.next().is_some_and(|c| c.is_ascii_alphanumeric()),
        Some(first) => first.is_ascii_alphabetic(),
        None => false,
    };
    starts_well && chars.all(rest)
}

fn reject_duplicates(names: &mut [&str]) -> Result<(), ManifestError> {
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ManifestError::Duplicate(pair[0].to_owned())),
        None => Ok(()),
    }
}
