//! Deployments: register, list, get, remove.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use protocol::DeploymentId;
use runtime_core::{
    effect::Registered,
    model::deployment::{Deployment, StoredDeployment},
    registry::RegistrySnapshot,
};
use runtime_partition::{DeploymentOffer, random};
use runtime_schema::{
    address, headers, limits,
    registration::{Endpoint, Registration, RegistrationError, plan},
};
use runtime_views::{deployment, rfc3339, service};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Admin,
    discovery::{Discovered, EndpointProbe},
    error::{ErrorBody, Refusal, Thing},
    extract::{Json, Path, Query},
    metadata::ServiceMetadata,
    nulls::or_default,
};

/// A request to register an endpoint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
pub struct Register {
    /// Address of the endpoint.
    pub uri: String,
    /// Headers to send with each request to the endpoint.
    #[serde(default, deserialize_with = "or_default")]
    pub additional_headers: BTreeMap<String, String>,
    /// Arbitrary key/value pairs.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: BTreeMap<String, String>,
    /// Use HTTP/1.1 for requests to the endpoint.
    #[serde(default, deserialize_with = "or_default")]
    pub use_http_11: bool,
    /// Discover the endpoint again even if it is already registered.
    #[serde(default, deserialize_with = "or_default")]
    pub force: bool,
    /// Allow a service to change its kind.
    #[serde(default, deserialize_with = "or_default")]
    pub breaking: bool,
    /// Return what would be registered, without registering it.
    #[serde(default, deserialize_with = "or_default")]
    pub dry_run: bool,
}

/// A deployment that was registered, or that would be in a dry run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegisteredDeployment {
    /// Its id, `dp_...`.
    pub id: String,
    /// The services that it offers.
    pub services: Vec<ServiceMetadata>,
    /// Oldest invocation protocol version that it supports.
    pub min_protocol_version: u32,
    /// Newest invocation protocol version that it supports.
    pub max_protocol_version: u32,
    /// Name and version of its SDK, as reported by the endpoint.
    pub sdk_version: Option<String>,
}

/// A registered deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentView<S> {
    /// Its id, `dp_...`.
    pub id: String,
    /// Address of its endpoint.
    pub uri: String,
    /// `BidiStream` or `RequestResponse`.
    pub protocol_type: &'static str,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub http_version: &'static str,
    /// Headers sent with each request to it. Values that may be credentials are masked.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub additional_headers: BTreeMap<String, String>,
    /// Arbitrary key/value pairs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// When it was registered.
    pub created_at: String,
    /// Oldest invocation protocol version that it supports.
    pub min_protocol_version: u32,
    /// Newest invocation protocol version that it supports.
    pub max_protocol_version: u32,
    /// Name and version of its SDK, as reported by the endpoint.
    pub sdk_version: Option<String>,
    /// The services that it offers.
    pub services: Vec<S>,
}

/// A service of a listed deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceRevision {
    /// Name of the service.
    pub name: String,
    /// Which revision of the service this deployment offers.
    pub revision: u32,
}

/// The response to listing deployments.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deployments {
    /// The deployments, in registration order.
    pub deployments: Vec<DeploymentView<ServiceRevision>>,
}

/// Options of removing a deployment.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Delete {
    /// Remove it even though invocations may still be pinned to it. Those can never continue.
    #[serde(default)]
    pub force: bool,
}

/// Discovers what an endpoint offers and registers it.
#[utoipa::path(
    post, path = "/deployments", request_body = Register,
    responses(
        (status = 201, body = RegisteredDeployment, description = "registered"),
        (status = 200, body = RegisteredDeployment, description = "already registered"),
        (status = 400, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "a field has the wrong type"),
        (status = 500, body = ErrorBody, description = "the endpoint cannot be discovered"),
    )
)]
pub async fn register(
    State(admin): State<Admin>,
    Json(request): Json<Register>,
) -> Result<(StatusCode, HeaderMap, Json<RegisteredDeployment>), Refusal> {
    let uri = address::normalise(&request.uri)?;
    let headers: Vec<_> = request.additional_headers.into_iter().collect();
    headers::check(&headers)?;
    limits::check_pairs("additional_headers", &headers, limits::HEADERS_BYTES_MAX)?;
    let metadata: Vec<_> = request.metadata.into_iter().collect();
    limits::check_pairs("metadata", &metadata, limits::METADATA_BYTES_MAX)?;
    let registry = admin.registry.snapshot();
    // Only saves a needless discovery: the result is decided when the event is applied.
    let existing = registered_at(&registry, &uri);
    if let Some(existing) = &existing
        && !request.force
    {
        return Ok(created(StatusCode::OK, &registry, existing));
    }
    let asked = EndpointProbe { uri: &uri, http1: request.use_http_11, headers: &headers };
    let Discovered { manifest, sdk, http1 } = admin.discovery.discover(asked).await?;
    let id = existing.as_ref().map_or_else(|| new_id(&admin), |stored| stored.deployment.id);
    let endpoint = Endpoint { id, uri, http1, headers, metadata, sdk };
    let allow_breaking = request.breaking || request.force;
    let Registration { deployment } = plan(&registry, endpoint, &manifest, allow_breaking)?;
    let deployment = Arc::new(deployment);
    if request.dry_run {
        let status = if existing.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        return Ok(previewed(status, &admin, &registry, deployment));
    }
    let offer = DeploymentOffer { deployment, replace: request.force, allow_breaking };
    let (status, id) = outcome(admin.partitions.register(offer).await?)?;
    let registry = admin.registry.snapshot();
    let stored = registry.deployment(id).ok_or_else(|| unknown(id.to_string()))?;
    Ok(created(status, &registry, stored))
}

/// The status and id of a registration, or why it was refused.
fn outcome(registered: Registered) -> Result<(StatusCode, DeploymentId), Refusal> {
    match registered {
        Registered::New(id) => Ok((StatusCode::CREATED, id)),
        Registered::Kept(id) | Registered::Replaced(id) => Ok((StatusCode::OK, id)),
        Registered::KindChanged { service, was, would_be } => {
            Err(RegistrationError::KindChanged { service, was, would_be }.into())
        }
    }
}

/// The newest deployment at an address. Older versions of this software could register several.
fn registered_at(registry: &RegistrySnapshot, uri: &str) -> Option<Arc<StoredDeployment>> {
    registry.deployments().filter(|stored| stored.deployment.uri == uri).last().cloned()
}

/// The response to a dry run.
fn previewed(
    status: StatusCode,
    admin: &Admin,
    registry: &RegistrySnapshot,
    deployment: Arc<Deployment>,
) -> (StatusCode, HeaderMap, Json<RegisteredDeployment>) {
    let next = |name: &str| 1 + registry.service(name).map_or(0, |service| service.revision);
    let revisions = deployment.services.iter().map(|service| next(&service.name)).collect();
    let created_at = runtime_core::time::Timestamp(admin.now_ms());
    let stored = StoredDeployment { deployment, created_at, revisions };
    created(status, registry, &stored)
}

/// Lists all deployments.
#[utoipa::path(get, path = "/deployments", responses((status = 200, body = Deployments)))]
pub async fn list(State(admin): State<Admin>) -> Json<Deployments> {
    let registry = admin.registry.snapshot();
    let seen = registry.deployments().map(|stored| deployment::Deployment::of(stored));
    let revisions = |all: Vec<deployment::Revision>| all.into_iter().map(Into::into).collect();
    let deployments = seen.map(|seen| view(seen, revisions));
    Json(Deployments { deployments: deployments.collect() })
}

/// Returns one deployment.
#[utoipa::path(
    get, path = "/deployments/{deployment}",
    responses((status = 200, body = DeploymentView<ServiceMetadata>), (status = 404, body = ErrorBody))
)]
pub async fn get(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Json<DeploymentView<ServiceMetadata>>, Refusal> {
    let registry = admin.registry.snapshot();
    let stored = registry.deployment(parse(&id)?).ok_or_else(|| unknown(id))?;
    Ok(Json(view(deployment::Deployment::of(stored), |_| services(&registry, stored))))
}

/// Removes a deployment.
#[utoipa::path(
    delete, path = "/deployments/{deployment}", params(Delete),
    responses((status = 202), (status = 404, body = ErrorBody), (status = 501, body = ErrorBody))
)]
pub async fn delete(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(Delete { force }): Query<Delete>,
) -> Result<StatusCode, Refusal> {
    let deployment = parse(&id)?;
    if !force {
        let message = "a deployment can only be removed with ?force=true: invocations that are \
                       pinned to it can never continue, since the same address gets another id when \
                       it is registered again; kill them, or let them end first. New invocations \
                       of its services go to the latest of the other deployments, if there is one";
        return Err(Refusal::NotImplemented(message.to_owned()));
    }
    match admin.partitions.remove(deployment).await? {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(unknown(id)),
    }
}

fn created(
    status: StatusCode,
    registry: &RegistrySnapshot,
    stored: &StoredDeployment,
) -> (StatusCode, HeaderMap, Json<RegisteredDeployment>) {
    let mut headers = HeaderMap::new();
    let deployment = &stored.deployment;
    let location = format!("deployments/{}", deployment.id);
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    let (min_protocol_version, max_protocol_version) = deployment.protocol_range;
    let registered = RegisteredDeployment {
        id: deployment.id.to_string(),
        services: services(registry, stored),
        min_protocol_version,
        max_protocol_version,
        sdk_version: deployment.sdk.clone(),
    };
    (status, headers, Json(registered))
}

/// The services of a deployment, as if it were the only one.
fn services(registry: &RegistrySnapshot, stored: &StoredDeployment) -> Vec<ServiceMetadata> {
    let services = service::Service::all_of(stored, registry.defaults());
    services.into_iter().map(ServiceMetadata::from).collect()
}

impl From<deployment::Revision> for ServiceRevision {
    fn from(seen: deployment::Revision) -> Self {
        Self { name: seen.name, revision: seen.revision }
    }
}

fn view<S>(
    seen: deployment::Deployment,
    services: impl FnOnce(Vec<deployment::Revision>) -> Vec<S>,
) -> DeploymentView<S> {
    DeploymentView {
        id: seen.id.to_string(),
        uri: address::shown(&seen.uri),
        protocol_type: if seen.bidirectional { "BidiStream" } else { "RequestResponse" },
        http_version: if seen.http1 { "HTTP/1.1" } else { "HTTP/2.0" },
        additional_headers: shown_headers(&seen.headers),
        metadata: seen.metadata.into_iter().collect(),
        created_at: rfc3339::with_nanoseconds(seen.created_at.0),
        min_protocol_version: seen.protocol_range.0,
        max_protocol_version: seen.protocol_range.1,
        sdk_version: seen.sdk,
        services: services(seen.services),
    }
}

fn shown_headers(headers: &[(String, String)]) -> BTreeMap<String, String> {
    let shown =
        headers.iter().map(|(name, value)| (name.clone(), headers::shown(name, value).to_owned()));
    shown.collect()
}

pub(crate) fn parse(id: &str) -> Result<DeploymentId, Refusal> {
    id.parse().map_err(|reason| Refusal::Id { what: Thing::Deployment, id: id.to_owned(), reason })
}

pub(crate) fn unknown(name: String) -> Refusal {
    Refusal::NotFound { what: Thing::Deployment, name }
}

fn new_id(admin: &Admin) -> DeploymentId {
    DeploymentId(protocol::ids::ulid(admin.now_ms(), random::next_u128()))
}
