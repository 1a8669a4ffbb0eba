//! Discovery: what an endpoint says it offers, manifest versions 2 to 4.
//!
//! Reading is lenient (an unknown member is for a newer reader), writing is strict: a manifest of an
//! older version has no newer member.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{HandlerKind, ServiceKind};

macro_rules! content_type {
    ($version:literal) => {
        concat!("application/vnd.restate.endpointmanifest.v", $version, "+json")
    };
}

/// The manifest versions that we read and write, newest first, and their content types.
pub const CONTENT_TYPES: [(u32, &str); 3] =
    [(4, content_type!(4)), (3, content_type!(3)), (2, content_type!(2))];

/// Asks for any manifest version we read; exact, without parameters, since some SDKs compare tokens.
pub const ACCEPT: &str = concat!(content_type!(4), ", ", content_type!(3), ", ", content_type!(2));

/// The manifest version that a response's content type names.
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
    /// Oldest invocation protocol it speaks.
    pub min_protocol_version: u32,
    /// Newest invocation protocol it speaks.
    pub max_protocol_version: u32,
    /// Its services.
    pub services: Vec<Service>,
}

/// Whether requests and responses overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProtocolMode {
    /// They do.
    BidiStream,
    /// The request ends before the response begins.
    RequestResponse,
}

/// The kind of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceType {
    /// Keyed state, one writer per key.
    VirtualObject,
    /// No key.
    Service,
    /// Keyed, `run` once per key.
    Workflow,
}

impl ServiceType {
    /// Its name in a manifest.
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

/// The kind of a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HandlerType {
    /// A workflow's `run`.
    Workflow,
    /// A writer.
    Exclusive,
    /// A reader.
    Shared,
}

impl HandlerType {
    /// Its name in a manifest.
    fn name(self) -> &'static str {
        match self {
            Self::Workflow => "WORKFLOW",
            Self::Exclusive => "EXCLUSIVE",
            Self::Shared => "SHARED",
        }
    }
}

/// Settings that services and handlers share. Durations are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct Options {
    /// For people (v2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Free key/value pairs (v2).
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// See the runtime's settings (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inactivity_timeout: Option<u64>,
    /// See the runtime's settings (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_timeout: Option<u64>,
    /// See the runtime's settings (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_retention: Option<u64>,
    /// See the runtime's settings (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_retention: Option<u64>,
    /// Handlers of kind `WORKFLOW` only (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_completion_retention: Option<u64>,
    /// See the runtime's settings (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_lazy_state: Option<bool>,
    /// Not to be called from outside (v3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_private: Option<bool>,
    /// See the runtime's settings (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_initial_interval: Option<u64>,
    /// See the runtime's settings (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_max_interval: Option<u64>,
    /// See the runtime's settings (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_max_attempts: Option<u32>,
    /// See the runtime's settings (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_exponentiation_factor: Option<f64>,
    /// See the runtime's settings (v4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy_on_max_attempts: Option<OnMaxAttempts>,
}

/// Null means the same as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What to do when the attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OnMaxAttempts {
    /// Wait for an operator.
    Pause,
    /// End with the last failure.
    Kill,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub ty: ServiceType,
    /// Its handlers.
    pub handlers: Vec<Handler>,
    /// Settings for all of them.
    #[serde(flatten)]
    pub options: Options,
}

/// A handler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct Handler {
    /// Its name.
    pub name: String,
    /// Its kind; absent for a plain service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ty: Option<HandlerType>,
    /// What it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputPayload>,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputPayload>,
    /// Settings that go before the service's.
    #[serde(flatten)]
    pub options: Options,
}

/// What a handler takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct InputPayload {
    /// Whether a body must be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Which content type it must have, as in an Accept header; absent when there must be no body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// JSON schema of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<serde_json::Value>,
}

/// What a handler answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
pub struct OutputPayload {
    /// Content type of the answer; absent sets none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether an empty answer has it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_content_type_if_empty: Option<bool>,
    /// JSON schema of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<serde_json::Value>,
}

/// A manifest that contradicts itself or the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It does not say how requests and responses relate.
    #[error("'protocolMode' is missing, expected BIDI_STREAM or REQUEST_RESPONSE")]
    NoProtocolMode,
    /// The range of versions is empty.
    #[error("minProtocolVersion is {min}, maxProtocolVersion {max}: expected 1 <= min <= max")]
    VersionRange {
        /// The oldest.
        min: u32,
        /// The newest.
        max: u32,
    },
    /// A name that nobody could call.
    #[error(
        "'{0}' is no name of a service or handler: expected a letter, then letters, digits and '_', for a \
         service '.' and '-' too; rename it"
    )]
    Name(String),
    /// A name that the runtime keeps for itself.
    #[error("the service name '{0}' is reserved")]
    ReservedName(String),
    /// A name that stands twice.
    #[error("'{0}' is offered twice; rename one of the two")]
    Duplicate(String),
    /// A handler that a service of this kind can't have.
    #[error(
        "handler '{handler}' of '{service}' is {}, which a {} cannot have; change the one or the other",
        ty.name(),
        service_ty.name()
    )]
    HandlerType {
        /// The service.
        service: String,
        /// The handler.
        handler: String,
        /// What it says it is.
        ty: HandlerType,
        /// What the service says it is.
        service_ty: ServiceType,
    },
    /// A setting that an older manifest can't say.
    #[error(
        "{option} on '{name}' needs manifest version {needed} or newer, and version {asked} is \
         asked for; remove the setting or use a newer runtime"
    )]
    Version {
        /// The setting.
        option: &'static str,
        /// The service or handler.
        name: String,
        /// Which version has it.
        needed: u32,
        /// Which version is asked for.
        asked: u32,
    },
    /// A setting where it means nothing.
    #[error("{option} on handler '{handler}' of '{service}' means nothing there; remove it")]
    Option {
        /// The setting.
        option: &'static str,
        /// The service.
        service: String,
        /// The handler.
        handler: String,
    },
}

impl Manifest {
    /// Checks everything that can be checked without a registry.
    ///
    /// # Errors
    /// The first contradiction found.
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
    /// The manifest, if an older version can say all of it.
    ///
    /// # Errors
    /// The first setting that it can't: dropping one in silence would change how services behave.
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
        for handler in &self.handlers {
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

    /// What a handler of this service is, said or not.
    ///
    /// # Errors
    /// When a service of this kind can't have it.
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
            // The real server reads an unset kind so, whatever the schema says.
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

/// A letter, or an underscore and a letter or digit; then whatever `rest` allows.
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
