//! Services: the latest revisions, as their endpoints offer them.

use axum::{
    Json,
    extract::{Path, State},
};
use protocol::{HandlerKind, ServiceKind};
use runtime_core::tables::deployment::{HandlerDefinition, OnMaxAttempts};
use runtime_schema::{Service, snapshot::Handler};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Admin, error::Refusal};

/// A service, latest revision.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceMetadata {
    /// Its name.
    pub name: String,
    /// `Service`, `VirtualObject` or `Workflow`.
    pub ty: &'static str,
    /// Its handlers.
    pub handlers: Vec<HandlerMetadata>,
    /// The deployment that offers this revision.
    pub deployment_id: String,
    /// How many times a deployment has offered it.
    pub revision: u32,
    /// Whether it may be called from outside.
    pub public: bool,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Half-close an idle attempt after this many milliseconds.
    pub inactivity_timeout_ms: u64,
    /// Break off an attempt that does not end within this many milliseconds of that.
    pub abort_timeout_ms: u64,
}

/// A handler.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandlerMetadata {
    /// Its name.
    pub name: String,
    /// `Exclusive`, `Shared` or `Workflow`; absent for a plain service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ty: Option<&'static str>,
    /// Whether it may be called from outside.
    pub public: bool,
    /// Which content type its input must have.
    pub input_description: String,
    /// Which content type its output has.
    pub output_description: String,
    /// JSON schema of the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_json_schema: Option<serde_json::Value>,
    /// JSON schema of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_json_schema: Option<serde_json::Value>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// How failed attempts are retried.
    pub retry_policy: RetryPolicyMetadata,
}

/// How failed attempts are retried.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetryPolicyMetadata {
    /// The first delay, in milliseconds.
    pub initial_interval_ms: u64,
    /// The longest delay, in milliseconds.
    pub max_interval_ms: u64,
    /// Each delay is the last one times this.
    pub exponentiation_factor: f64,
    /// Attempts in all; null is no limit.
    pub max_attempts: Option<u32>,
    /// `Pause` or `Kill`.
    pub on_max_attempts: &'static str,
}

/// All services.
#[derive(Debug, Serialize, ToSchema)]
pub struct Services {
    /// By name.
    pub services: Vec<ServiceMetadata>,
}

/// All handlers of a service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Handlers {
    /// As the endpoint lists them.
    pub handlers: Vec<HandlerMetadata>,
}

/// All services.
#[utoipa::path(get, path = "/services", responses((status = 200, body = Services)))]
pub async fn list(State(admin): State<Admin>) -> Json<Services> {
    let registry = admin.registry.snapshot();
    let services = registry.services().into_iter();
    Json(Services { services: services.map(|service| metadata(&admin, service)).collect() })
}

/// One service.
#[utoipa::path(
    get, path = "/services/{service}",
    responses((status = 200, body = ServiceMetadata), (status = 404, body = crate::error::ErrorBody))
)]
pub async fn get(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Result<Json<ServiceMetadata>, Refusal> {
    with_service(&admin, &name, |service| metadata(&admin, service)).map(Json)
}

/// All handlers of a service.
#[utoipa::path(
    get, path = "/services/{service}/handlers",
    responses((status = 200, body = Handlers), (status = 404, body = crate::error::ErrorBody))
)]
pub async fn handlers(
    State(admin): State<Admin>,
    Path(name): Path<String>,
) -> Result<Json<Handlers>, Refusal> {
    let handlers = with_service(&admin, &name, |service| metadata(&admin, service).handlers)?;
    Ok(Json(Handlers { handlers }))
}

/// One handler.
#[utoipa::path(
    get, path = "/services/{service}/handlers/{handler}",
    responses((status = 200, body = HandlerMetadata), (status = 404, body = crate::error::ErrorBody))
)]
pub async fn handler(
    State(admin): State<Admin>,
    Path((name, handler)): Path<(String, String)>,
) -> Result<Json<HandlerMetadata>, Refusal> {
    let handlers = with_service(&admin, &name, |service| metadata(&admin, service).handlers)?;
    let found = handlers.into_iter().find(|metadata| metadata.name == handler);
    let not_found = || Refusal::NotFound { what: "handler", name: format!("{name}/{handler}") };
    found.map(Json).ok_or_else(not_found)
}

fn with_service<T>(
    admin: &Admin,
    name: &str,
    read: impl FnOnce(&Service) -> T,
) -> Result<T, Refusal> {
    let registry = admin.registry.snapshot();
    let not_found = || Refusal::NotFound { what: "service", name: name.to_owned() };
    registry.service(name).map(read).ok_or_else(not_found)
}

/// What the API says of a service.
pub(crate) fn metadata(admin: &Admin, service: &Service) -> ServiceMetadata {
    let definition = service.definition();
    let registry = admin.registry.snapshot();
    let defaults = registry.defaults();
    let handlers = definition.handlers.iter().filter_map(|definition| {
        let handler = service.handler(&definition.name)?;
        Some(handler_metadata(admin, service, handler, definition))
    });
    ServiceMetadata {
        name: definition.name.clone(),
        ty: match definition.kind {
            ServiceKind::Service => "Service",
            ServiceKind::VirtualObject => "VirtualObject",
            ServiceKind::Workflow => "Workflow",
        },
        handlers: handlers.collect(),
        deployment_id: service.deployment.deployment.id.to_string(),
        revision: service.revision,
        public: service.is_public(),
        documentation: definition.documentation.clone(),
        inactivity_timeout_ms: definition
            .options
            .inactivity_timeout_ms
            .unwrap_or(defaults.inactivity_timeout_ms),
        abort_timeout_ms: definition.options.abort_timeout_ms.unwrap_or(defaults.abort_timeout_ms),
    }
}

fn handler_metadata(
    admin: &Admin,
    service: &Service,
    handler: &Handler,
    definition: &HandlerDefinition,
) -> HandlerMetadata {
    let registry = admin.registry.snapshot();
    let retry = registry.defaults().settings(service.definition(), definition).retry;
    let schema =
        |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let described = |content_type: &Option<String>| match content_type {
        Some(content_type) => format!("value of content-type '{content_type}'"),
        None => "none".to_owned(),
    };
    HandlerMetadata {
        name: definition.name.clone(),
        ty: match definition.kind {
            HandlerKind::Service => None,
            HandlerKind::Exclusive => Some("Exclusive"),
            HandlerKind::Shared => Some("Shared"),
            HandlerKind::Workflow => Some("Workflow"),
        },
        public: handler.is_public,
        input_description: described(&definition.input.content_type),
        output_description: described(&definition.output.content_type),
        input_json_schema: schema(&definition.input.json_schema),
        output_json_schema: schema(&definition.output.json_schema),
        documentation: definition.documentation.clone(),
        retry_policy: RetryPolicyMetadata {
            initial_interval_ms: retry.initial_interval_ms,
            max_interval_ms: retry.max_interval_ms,
            #[expect(clippy::cast_precision_loss, reason = "a factor is a small number")]
            exponentiation_factor: retry.factor_thousandths as f64 / 1000.0,
            max_attempts: retry.max_attempts,
            on_max_attempts: match retry.on_max_attempts {
                OnMaxAttempts::Pause => "Pause",
                OnMaxAttempts::Kill => "Kill",
            },
        },
    }
}
