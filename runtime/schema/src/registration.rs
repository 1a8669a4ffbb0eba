//! From a manifest to a deployment: pure, including the rules that protect existing registrations.
//! They are checked here for an early and precise refusal; `registered` or not is decided by the
//! partition that holds the registry, on the event (`runtime_core`, `registry.rs`).

use protocol::{
    DeploymentId, ProtocolVersion, ServiceKind,
    discovery::{self, INPUT_VALIDATION, Manifest, ManifestError, OFF, ProtocolMode},
    surface::content_type::JSON,
};
use runtime_core::{
    model::deployment::{
        Deployment, HandlerDefinition, InputRule, OnMaxAttempts, OutputRule, RetryOptions,
        ServiceDefinition, ServiceOptions,
    },
    registry::RegistrySnapshot,
};

use crate::{
    input_schema::{InputSchema, SchemaError, enforced},
    limits::{self, LimitError, RegistryFull},
};

/// An endpoint, without its services.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Id that the deployment will have.
    pub id: DeploymentId,
    /// Its address, normalised by [`crate::address::normalise`].
    pub uri: String,
    /// Whether to use HTTP/1.1.
    pub http1: bool,
    /// Headers to send with each request.
    pub headers: Vec<(String, String)>,
    /// Arbitrary key/value pairs set by the operator.
    pub metadata: Vec<(String, String)>,
    /// Name and version of its SDK, as reported by the endpoint.
    pub sdk: Option<String>,
}

/// A change to the registry, ready to be stored.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The new deployment, or the new version of an existing one.
    pub deployment: Deployment,
}

/// The reason why a manifest can't be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// It exceeds a limit on a single deployment.
    #[error("[META0013] {0}")]
    Limit(LimitError),
    /// The registry has no capacity left for it.
    #[error(transparent)]
    Full(RegistryFull),
    /// It contradicts itself or the protocol.
    #[error("[META0013] the endpoint's manifest is not valid: {0}")]
    Malformed(ManifestError),
    /// A service has a name that is reserved for the runtime.
    #[error("[META0005] {0}; rename the service")]
    Reserved(ManifestError),
    /// The endpoint and this server have no protocol version in common.
    #[error(
        "[META0012] the endpoint speaks service protocol versions {min} to {max}, this server {} to {}; \
         use an SDK release that supports one of the latter",
        ProtocolVersion::MIN.number(),
        ProtocolVersion::MAX.number()
    )]
    Protocol {
        /// The oldest version the endpoint speaks.
        min: u32,
        /// The newest version the endpoint speaks.
        max: u32,
    },
    /// A schema that is to be enforced cannot be.
    #[error(
        "[META0013] the JSON schema of the input of '{handler}' cannot be enforced: {reason}; change it, or \
         set the metadata '{INPUT_VALIDATION}' to {OFF}"
    )]
    Schema {
        /// The handler, as `service/handler`.
        handler: String,
        /// Why.
        reason: SchemaError,
    },
    /// A service would change its kind.
    #[error(
        "[META0006] service '{service}' is registered as {} and would become {}; register \
         with \"breaking\": true if that is intended",
        was.name(),
        would_be.name()
    )]
    KindChanged {
        /// Name of the service.
        service: String,
        /// Its registered kind.
        was: ServiceKind,
        /// Its kind according to the endpoint.
        would_be: ServiceKind,
    },
}

impl RegistrationError {
    /// The API's error code, if it has one for this.
    pub fn restate_code(&self) -> Option<&'static str> {
        match self {
            Self::Limit(_) | Self::Malformed(_) | Self::Schema { .. } => Some("META0013"),
            Self::Reserved(_) => Some("META0005"),
            Self::Protocol { .. } => Some("META0012"),
            Self::KindChanged { .. } => Some("META0006"),
            Self::Full(_) => None,
        }
    }
}

/// Checks a manifest against the registry and turns it into a deployment. If it has many input schemas
/// that are to be enforced, compiling them takes seconds.
///
/// # Errors
/// Returns an error if it can't be registered; the registry is unchanged either way.
pub fn plan(
    registry: &RegistrySnapshot,
    endpoint: Endpoint,
    manifest: &Manifest,
    allow_breaking: bool,
) -> Result<Registration, RegistrationError> {
    limits::check_manifest(manifest).map_err(RegistrationError::Limit)?;
    manifest.validate().map_err(|error| match error {
        ManifestError::ReservedName(_) => RegistrationError::Reserved(error),
        ManifestError::NoProtocolMode
        | ManifestError::VersionRange { .. }
        | ManifestError::Name(_)
        | ManifestError::Duplicate(_)
        | ManifestError::HandlerType { .. }
        | ManifestError::InputValidation { .. }
        | ManifestError::Version { .. }
        | ManifestError::Option { .. } => RegistrationError::Malformed(error),
    })?;
    let (min, max) = (manifest.min_protocol_version, manifest.max_protocol_version);
    if ProtocolVersion::negotiate(min, max, ProtocolVersion::MAX).is_none() {
        return Err(RegistrationError::Protocol { min, max });
    }
    let services = manifest
        .services
        .iter()
        .map(|service| {
            let definition = service_definition(service).map_err(RegistrationError::Malformed)?;
            let was = registry.service(&service.name).map(|known| known.definition().kind);
            match was {
                Some(was) if was != definition.kind && !allow_breaking => {
                    Err(RegistrationError::KindChanged {
                        service: service.name.clone(),
                        was,
                        would_be: definition.kind,
                    })
                }
                Some(_) | None => Ok(definition),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    check_schemas(&services)?;
    let Endpoint { id, uri, http1, headers, metadata, sdk } = endpoint;
    let bidirectional = manifest.protocol_mode == Some(ProtocolMode::BidiStream) && !http1;
    let deployment = Deployment {
        id,
        uri,
        bidirectional,
        http1,
        headers,
        metadata,
        protocol_range: (min, max),
        sdk,
        services,
    };
    let others = registry.deployments().map(|stored| &*stored.deployment);
    let others = others.filter(|other| other.id != deployment.id);
    limits::check_registry(others, &deployment).map_err(RegistrationError::Full)?;
    Ok(Registration { deployment })
}

/// Compiles the schemas that are to be enforced.
fn check_schemas(services: &[ServiceDefinition]) -> Result<(), RegistrationError> {
    let mut bytes = 0;
    for service in services {
        for handler in &service.handlers {
            let Some(schema) = enforced::text_of(service, handler) else { continue };
            let schema = InputSchema::compile(schema).map_err(|reason| {
                let handler = format!("{}/{}", service.name, handler.name);
                RegistrationError::Schema { handler, reason }
            })?;
            bytes += schema.bytes();
            if bytes > limits::SCHEMAS_BYTES_MAX {
                return Err(RegistrationError::Limit(LimitError::Schemas(bytes)));
            }
        }
    }
    Ok(())
}

fn service_definition(service: &discovery::Service) -> Result<ServiceDefinition, ManifestError> {
    let handlers = service.handlers.iter().map(|handler| {
        Ok(HandlerDefinition {
            name: handler.name.clone(),
            kind: service.handler_kind(handler)?,
            options: options(&handler.options),
            input: input_rule(handler.input.as_ref()),
            output: output_rule(handler.output.as_ref()),
            documentation: handler.options.documentation.clone(),
            metadata: pairs(&handler.options),
        })
    });
    Ok(ServiceDefinition {
        name: service.name.clone(),
        kind: service.ty.into(),
        handlers: handlers.collect::<Result<_, _>>()?,
        options: options(&service.options),
        documentation: service.options.documentation.clone(),
        metadata: pairs(&service.options),
    })
}

fn pairs(options: &discovery::Options) -> Vec<(String, String)> {
    options.metadata.clone().into_iter().collect()
}

fn options(options: &discovery::Options) -> ServiceOptions {
    ServiceOptions {
        inactivity_timeout_ms: options.inactivity_timeout,
        abort_timeout_ms: options.abort_timeout,
        journal_retention_ms: options.journal_retention,
        idempotency_retention_ms: options.idempotency_retention,
        workflow_retention_ms: options.workflow_completion_retention,
        lazy_state: options.enable_lazy_state,
        ingress_private: options.ingress_private,
        retry: RetryOptions {
            initial_interval_ms: options.retry_policy_initial_interval,
            max_interval_ms: options.retry_policy_max_interval,
            // An invocation needs at least one attempt.
            max_attempts: options.retry_policy_max_attempts.map(|attempts| attempts.max(1)),
            factor_thousandths: options.retry_policy_exponentiation_factor.map(thousandths),
            on_max_attempts: options.retry_policy_on_max_attempts.map(|action| match action {
                discovery::OnMaxAttempts::Pause => OnMaxAttempts::Pause,
                discovery::OnMaxAttempts::Kill => OnMaxAttempts::Kill,
            }),
        },
    }
}

/// A factor in whole thousandths; a nonsensical one counts as 1.
pub fn thousandths(factor: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range just before"
    )]
    let thousandths = (factor * 1000.0).clamp(1000.0, 1_000_000.0) as u64;
    thousandths
}

fn input_rule(input: Option<&discovery::InputPayload>) -> InputRule {
    match input {
        None => {
            InputRule { required: false, content_type: Some("*/*".to_owned()), json_schema: None }
        }
        Some(input) => InputRule {
            required: input.required.unwrap_or(false),
            content_type: input.content_type.clone(),
            json_schema: input.json_schema.as_ref().map(ToString::to_string),
        },
    }
}

fn output_rule(output: Option<&discovery::OutputPayload>) -> OutputRule {
    match output {
        None => OutputRule {
            content_type: Some(JSON.to_owned()),
            set_content_type_if_empty: false,
            json_schema: None,
        },
        Some(output) => OutputRule {
            content_type: output.content_type.clone(),
            set_content_type_if_empty: output.set_content_type_if_empty.unwrap_or(false),
            json_schema: output.json_schema.as_ref().map(ToString::to_string),
        },
    }
}
