//! How a deployment is called is changed: an endpoint has moved, or its credentials have. The deployment
//! keeps its id, and so the invocations that are pinned to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use runtime_core::{
    effect::Updated,
    model::deployment::{Deployment, StoredDeployment},
    registry::{RegistrySnapshot, overwritten},
};
use runtime_schema::{address, headers, limits, registration::Endpoint};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{DescribedDeployment, described, lost, parse, register::planned, unknown, usage};
use crate::{
    Admin,
    discovery::{Discovered, EndpointProbe},
    error::{ErrorBody, Refusal},
    extract::{Json, Path, Query},
    metadata::Info,
    nulls::or_default,
    operator::{Said, operator},
};

/// A request to change how a deployment is called. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
pub struct Update {
    /// The new address of the endpoint.
    pub uri: Option<String>,
    /// Headers to send with each request to the endpoint, in place of the present ones.
    pub additional_headers: Option<BTreeMap<String, String>>,
    /// Use HTTP/1.1 for requests to the endpoint.
    pub use_http_11: Option<bool>,
    /// Replace the services by what the endpoint offers now, even if something is missing.
    #[serde(default, deserialize_with = "or_default")]
    pub overwrite: bool,
    /// Return what would be registered, without changing it.
    #[serde(default, deserialize_with = "or_default")]
    pub dry_run: bool,
}

impl Update {
    fn asks_for_nothing(&self) -> bool {
        let Self { uri, additional_headers, use_http_11, overwrite, dry_run: _ } = self;
        uri.is_none() && additional_headers.is_none() && use_http_11.is_none() && !overwrite
    }
}

/// Why a deployment can't be updated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Another deployment has the address.
    #[error(
        "[META0004] deployment {other} is registered at {uri}, and an address belongs to one deployment; \
         remove that one first, or resume the invocations of this one there"
    )]
    AddressTaken {
        /// The other deployment.
        other: String,
        /// The address, without what may be secret.
        uri: String,
    },
    /// The endpoint does not offer all that the deployment does.
    #[error(
        "[META0016] {uri} does not offer all that deployment {deployment} is registered with: {lost}; \
         register it as a deployment of its own, or set \"overwrite\" to register what it offers in \
         place of that"
    )]
    Lost {
        /// The deployment.
        deployment: String,
        /// The address, without what may be secret.
        uri: String,
        /// What is missing, in words.
        lost: String,
    },
}

impl UpdateError {
    pub(crate) fn restate_code(&self) -> &'static str {
        match self {
            Self::AddressTaken { .. } => "META0004",
            Self::Lost { .. } => "META0016",
        }
    }
}

/// Changes how a deployment is called, after asking the endpoint what it offers.
#[utoipa::path(
    patch, path = "/deployments/{deployment}", params(Said), request_body = Update,
    responses(
        (status = 200, body = DescribedDeployment),
        (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "invocations need what the endpoint lacks, or \
                                                        the address is that of another deployment"),
        (status = 422, body = ErrorBody, description = "a field has the wrong type"),
        (status = 500, body = ErrorBody, description = "the endpoint cannot be discovered"),
    )
)]
pub async fn update(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(said): Query<Said>,
    Json(request): Json<Update>,
) -> Result<Json<DescribedDeployment>, Refusal> {
    let operator = operator(said.reason)?;
    let known = parse(&id)?;
    let registry = admin.registry.snapshot();
    let stored = registry.deployment(known).ok_or_else(|| unknown(id.clone()))?;
    let (overwrite, dry_run) = (request.overwrite, request.dry_run);
    if request.asks_for_nothing() {
        let usage = usage::of(&admin, known).await?;
        return Ok(Json(described(&registry, stored, &usage, Vec::new())));
    }
    let offered = discover(&admin, &registry, stored, request).await?;
    let usage = usage::of(&admin, known).await?;
    let was = &stored.deployment;
    let lost = lost::between(was, &offered, &usage);
    if !overwrite && !lost.is_empty() {
        return Err(refused(&offered, &lost).into());
    }
    let info: Vec<_> = info(was, &offered, overwrite, &lost).collect();
    if dry_run {
        let stored = preview(&registry, stored, offered, overwrite);
        return Ok(Json(described(&registry, &stored, &usage, info)));
    }
    let offered = Arc::new(offered);
    match admin.partitions.update(operator, Arc::clone(&offered), overwrite).await? {
        Updated::Done => (),
        Updated::NotFound => return Err(unknown(id)),
        Updated::AddressTaken(other) => return Err(taken(&offered.uri, &other).into()),
        Updated::Lost(lost) => {
            let lost: Vec<_> = lost.iter().map(|lost| lost::words(lost).1).collect();
            return Err(refused(&offered, &lost).into());
        }
    }
    let registry = admin.registry.snapshot();
    let stored = registry.deployment(known).ok_or_else(|| unknown(id))?;
    Ok(Json(described(&registry, stored, &usage, info)))
}

/// The deployment as the request and its endpoint have it.
async fn discover(
    admin: &Admin,
    registry: &Arc<RegistrySnapshot>,
    stored: &StoredDeployment,
    request: Update,
) -> Result<Deployment, Refusal> {
    let known = &stored.deployment;
    let uri = request.uri.map_or_else(|| Ok(known.uri.clone()), |uri| address::normalise(&uri))?;
    let given = request.additional_headers.map(|headers| headers.into_iter().collect());
    let headers: Vec<_> = given.unwrap_or_else(|| known.headers.clone());
    headers::check(&headers)?;
    limits::check_pairs("additional_headers", &headers, limits::HEADERS_BYTES_MAX)?;
    let mut others = registry.deployments().map(|stored| &stored.deployment);
    if let Some(other) = others.find(|other| other.uri == uri && other.id != known.id) {
        return Err(taken(&uri, &other.id).into());
    }
    let http1 = request.use_http_11.unwrap_or(known.http1);
    let asked = EndpointProbe { uri: &uri, http1, headers: &headers };
    let Discovered { manifest, sdk, http1 } = admin.discovery.discover(asked).await?;
    let (id, metadata) = (known.id, known.metadata.clone());
    let endpoint = Endpoint { id, uri, http1, headers, metadata, sdk };
    // Whether a kind may change is up to `overwrite`, for this deployment alone.
    planned(registry, endpoint, manifest, true).await
}

/// What the operator should know, although the update is done.
fn info(
    was: &Deployment,
    offered: &Deployment,
    overwrite: bool,
    lost: &[String],
) -> impl Iterator<Item = Info> {
    let lost = lost::info("the endpoint no longer offers what the deployment did", lost);
    let more = if overwrite { Vec::new() } else { offered.lost_in(was) };
    let more: Vec<_> = more.iter().map(|more| lost::words(more).1).collect();
    let about = "the endpoint offers more than the deployment is registered with, which \
                 \"overwrite\" would register";
    lost.into_iter().chain(lost::info(about, &more))
}

fn preview(
    registry: &RegistrySnapshot,
    stored: &StoredDeployment,
    offered: Deployment,
    overwrite: bool,
) -> StoredDeployment {
    if overwrite {
        let next = |name: &str| 1 + registry.service(name).map_or(0, |service| service.revision);
        return overwritten(stored, &Arc::new(offered), next);
    }
    let services = stored.deployment.services.clone();
    let deployment = Arc::new(Deployment { services, ..offered });
    StoredDeployment { deployment, ..stored.clone() }
}

fn refused(offered: &Deployment, lost: &[String]) -> UpdateError {
    UpdateError::Lost {
        deployment: offered.id.to_string(),
        uri: address::shown(&offered.uri),
        lost: lost::listed(lost),
    }
}

fn taken(uri: &str, other: &protocol::DeploymentId) -> UpdateError {
    UpdateError::AddressTaken { other: other.to_string(), uri: address::shown(uri) }
}
