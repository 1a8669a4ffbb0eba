//! Deployments: list and get. [`register`], [`update`], [`delete`] change them; `usage` says which
//! invocations need one, and `lost` what another version of it no longer offers.

pub mod delete;
mod lost;
pub mod register;
pub mod update;
pub(crate) mod usage;

use std::collections::BTreeMap;

use axum::extract::State;
use protocol::DeploymentId;
use runtime_core::{model::deployment::StoredDeployment, registry::RegistrySnapshot};
use runtime_schema::{address, headers};
use runtime_views::{
    deployment::{self, Drain, Usage},
    rfc3339, service,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Admin,
    error::{ErrorBody, Refusal, Thing},
    extract::{Json, Path},
    metadata::{Info, ServiceMetadata},
};

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

/// A registered deployment, and whether invocations need it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DescribedDeployment {
    /// The deployment.
    #[serde(flatten)]
    pub deployment: DeploymentView<ServiceMetadata>,
    /// `active` if it is the latest of at least one service, `draining` if only invocations that
    /// have begun need it, and `drained` if none does.
    pub status: &'static str,
    /// How many invocations are pinned to it, by service and status.
    pub pinned_invocations: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// What an operator should know about a change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub info: Vec<Info>,
}

/// The response to listing deployments.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deployments {
    /// The deployments, in registration order.
    pub deployments: Vec<DeploymentView<ServiceRevision>>,
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
    responses((status = 200, body = DescribedDeployment), (status = 404, body = ErrorBody))
)]
pub async fn get(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Json<DescribedDeployment>, Refusal> {
    let known = parse(&id)?;
    let registry = admin.registry.snapshot();
    let stored = registry.deployment(known).ok_or_else(|| unknown(id))?;
    let usage = usage::of(&admin, known).await?;
    Ok(Json(described(&registry, stored, &usage, Vec::new())))
}

fn described(
    registry: &RegistrySnapshot,
    stored: &StoredDeployment,
    usage: &Usage,
    info: Vec<Info>,
) -> DescribedDeployment {
    DescribedDeployment {
        deployment: view(deployment::Deployment::of(stored), |_| services(registry, stored)),
        status: Drain::of(registry, stored, usage.unfinished()).name(),
        pinned_invocations: usage::by_name(usage),
        info,
    }
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
