//! A deployment is removed, unless it is needed.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use runtime_views::deployment::latest_of;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{parse, unknown, usage};
use crate::{
    Admin,
    error::{ErrorBody, Refusal},
    extract::{Json, Path, Query},
    operator::operator,
};

/// Options of removing a deployment.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Delete {
    /// Remove it even if invocations start on it, or have to finish on it. The latter cannot continue
    /// unless they are moved to another deployment.
    #[serde(default)]
    pub force: bool,
    /// Why it is done, for the audit: up to 1 KiB.
    pub reason: Option<String>,
}

/// What the removal of a deployment leaves behind.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovedDeployment {
    /// How many unfinished invocations were pinned to it, by service and status.
    pub stranded_invocations: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// The services that no deployment offers any more.
    pub unserved: Vec<String>,
}

/// Removes a deployment.
#[utoipa::path(
    delete, path = "/deployments/{deployment}", params(Delete),
    responses(
        (status = 202, body = RemovedDeployment),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "it is in use"),
    )
)]
pub async fn delete(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(Delete { force, reason }): Query<Delete>,
) -> Result<(StatusCode, Json<RemovedDeployment>), Refusal> {
    let operator = operator(reason)?;
    let known = parse(&id)?;
    let registry = admin.registry.snapshot();
    let stored = registry.deployment(known).ok_or_else(|| unknown(id.clone()))?;
    let usage = usage::of(&admin, known).await?;
    let latest: Vec<_> = latest_of(&registry, stored).map(str::to_owned).collect();
    let mut uses = Vec::new();
    if usage.unfinished() > 0 {
        uses.push(format!("the unfinished invocations pinned to it are {}", usage::words(&usage)));
    }
    if !latest.is_empty() {
        let named: Vec<_> = latest.iter().map(|name| format!("'{name}'")).collect();
        uses.push(format!("it is the latest deployment of {}", named.join(", ")));
    }
    if !force && !uses.is_empty() {
        return Err(Refusal::Conflict(format!(
            "deployment {id} is in use: {}; register another one for its services, and let its \
             invocations end, move them with PATCH /invocations/{{id}}/resume?deployment=latest, or \
             kill them. ?force=true removes it at once: what is pinned to it then waits until it is \
             moved, since the same address gets another id when it is registered again",
            uses.join(", and ")
        )));
    }
    if !admin.partitions.remove(operator, known, force, usage::stranded(&usage)).await? {
        return Err(unknown(id));
    }
    let registry = admin.registry.snapshot();
    let unserved = latest.into_iter().filter(|name| registry.service(name).is_none()).collect();
    let removed = RemovedDeployment {
        stranded_invocations: usage::by_name(&usage.without_ended()),
        unserved,
    };
    Ok((StatusCode::ACCEPTED, Json(removed)))
}
