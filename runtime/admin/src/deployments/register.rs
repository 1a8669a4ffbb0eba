//! An endpoint is registered.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use protocol::{DeploymentId, discovery::Manifest};
use runtime_core::{
    effect::Registered,
    model::deployment::{Deployment, StoredDeployment},
    registry::{RegistrySnapshot, Service},
    time::Timestamp,
};
use runtime_partition::{DeploymentOffer, random};
use runtime_schema::{
    address, headers, limits,
    registration::{Endpoint, Registration, RegistrationError, plan},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, task};
use utoipa::ToSchema;

use super::{lost, services, unknown, usage};
use crate::{
    Admin,
    discovery::{Discovered, EndpointProbe},
    error::{ErrorBody, Refusal},
    extract::{Json, Query},
    metadata::{Info, ServiceMetadata},
    nulls::or_default,
    operator::{Said, operator},
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
    /// What an operator should know about the change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub info: Vec<Info>,
}

/// Discovers what an endpoint offers and registers it.
#[utoipa::path(
    post, path = "/deployments", params(Said), request_body = Register,
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
    Query(said): Query<Said>,
    Json(request): Json<Register>,
) -> Result<(StatusCode, HeaderMap, Json<RegisteredDeployment>), Refusal> {
    let operator = operator(said.reason)?;
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
        return Ok(created(StatusCode::OK, &registry, existing, Vec::new()));
    }
    let asked = EndpointProbe { uri: &uri, http1: request.use_http_11, headers: &headers };
    let Discovered { manifest, sdk, http1 } = admin.discovery.discover(asked).await?;
    let id = existing.as_ref().map_or_else(|| new_id(&admin), |stored| stored.deployment.id);
    let endpoint = Endpoint { id, uri, http1, headers, metadata, sdk };
    let allow_breaking = request.breaking || request.force;
    let deployment = planned(&registry, endpoint, manifest, allow_breaking).await?;
    let deployment = Arc::new(deployment);
    let info = info(&admin, &registry, existing.as_deref(), &deployment).await?;
    if request.dry_run {
        let status = if existing.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        let stored = previewed(&registry, deployment, Timestamp(admin.now_ms()));
        return Ok(created(status, &registry, &stored, info));
    }
    let offer = DeploymentOffer { deployment, replace: request.force, allow_breaking };
    let (status, id) = outcome(admin.partitions.register(operator, offer).await?)?;
    let registry = admin.registry.snapshot();
    let stored = registry.deployment(id).ok_or_else(|| unknown(id.to_string()))?;
    Ok(created(status, &registry, stored, info))
}

/// Registrations are planned one at a time, so that they take no more than a core.
static TURN: Semaphore = Semaphore::const_new(1);

/// Turns a manifest into a deployment, on a thread that nobody else waits for: it may have many schemas
/// to compile.
pub(super) async fn planned(
    registry: &Arc<RegistrySnapshot>,
    endpoint: Endpoint,
    manifest: Manifest,
    allow_breaking: bool,
) -> Result<Deployment, Refusal> {
    let (turn, registry) = (TURN.acquire().await, Arc::clone(registry));
    let planned = task::spawn_blocking(move || {
        let _turn = turn;
        plan(&registry, endpoint, &manifest, allow_breaking)
    });
    let failed = |error| Refusal::BadRequest(format!("the manifest cannot be checked: {error}"));
    let Registration { deployment } = planned.await.map_err(failed)??;
    Ok(deployment)
}

/// What a registration takes away: from the deployment that it replaces, and else from the latest
/// revisions of its services.
async fn info(
    admin: &Admin,
    registry: &RegistrySnapshot,
    existing: Option<&StoredDeployment>,
    offered: &Deployment,
) -> Result<Vec<Info>, Refusal> {
    let info = if let Some(existing) = existing {
        let usage = usage::of(admin, existing.deployment.id).await?;
        let lost = lost::between(&existing.deployment, offered, &usage);
        lost::info("the endpoint no longer offers what was registered at this address", &lost)
    } else {
        let latest = |name: &str| registry.service(name).map(Service::definition);
        let lost = offered.services.iter().flat_map(|service| {
            let lost = latest(&service.name).map(|known| known.lost_in(Some(service)));
            lost.unwrap_or_default()
        });
        let lost: Vec<_> = lost.map(|lost| lost::words(&lost).1).collect();
        let about = "the new revisions lack what the latest ones have, so that invocations that have \
                     not begun there fail";
        lost::info(about, &lost)
    };
    Ok(info.into_iter().collect())
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

/// A deployment as it would be stored: its services become the next revisions.
fn previewed(
    registry: &RegistrySnapshot,
    deployment: Arc<Deployment>,
    created_at: Timestamp,
) -> StoredDeployment {
    let next = |name: &str| 1 + registry.service(name).map_or(0, |service| service.revision);
    let revisions = deployment.services.iter().map(|service| next(&service.name)).collect();
    StoredDeployment { deployment, created_at, revisions }
}

fn created(
    status: StatusCode,
    registry: &RegistrySnapshot,
    stored: &StoredDeployment,
    info: Vec<Info>,
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
        info,
    };
    (status, headers, Json(registered))
}

fn new_id(admin: &Admin) -> DeploymentId {
    DeploymentId(protocol::ids::ulid(admin.now_ms(), random::next_u128()))
}
