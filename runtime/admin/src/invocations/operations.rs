//! What operators can do to an invocation. Each operation is kept in the audit, with its reason and
//! its outcome.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use protocol::{DeploymentId, InvocationId, ProtocolVersion, Target};
use runtime_core::model::{
    deployment::{Deployment, StoredDeployment},
    invocation::StatusKind,
    operation::{Operation, Outcome},
    operator::Operator,
};
use runtime_views::{invocation::Pinned, text};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{parse, restart, unknown};
use crate::{
    Admin, deployments,
    error::{ErrorBody, Refusal},
    extract::{Path, Query},
    operator::{Said, operator},
};

/// Options of resuming an invocation.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Resume {
    /// Where it goes on: `keep` (the default) for the deployment that it is pinned to, `latest` for
    /// the latest one of its service, or the id of a deployment.
    pub deployment: Option<String>,
    /// Why it is done, for the audit: up to 1 KiB.
    pub reason: Option<String>,
}

/// Asks an invocation to end.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/cancel", params(Said),
    responses(
        (status = 200, description = "it had not started, and has ended"),
        (status = 202, description = "it was asked to end"),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)
    )
)]
pub async fn cancel(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<StatusCode, Refusal> {
    done(&admin, id, operator(said.reason)?, Operation::Cancel).await
}

/// Ends an invocation and everything that it has started. No more user code runs.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/kill", params(Said),
    responses((status = 200), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody))
)]
pub async fn kill(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<StatusCode, Refusal> {
    done(&admin, id, operator(said.reason)?, Operation::Kill).await
}

/// Removes a completed invocation with its journal and result, before its retention ends.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/purge", params(Said),
    responses((status = 200), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody))
)]
pub async fn purge(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<StatusCode, Refusal> {
    done(&admin, id, operator(said.reason)?, Operation::Purge).await
}

/// Removes the journal of a completed invocation before its retention ends. The result stays.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/purge-journal", params(Said),
    responses((status = 200), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody))
)]
pub async fn purge_journal(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<StatusCode, Refusal> {
    done(&admin, id, operator(said.reason)?, Operation::PurgeJournal).await
}

/// Pauses an invocation: none of its code runs until it is resumed. What arrives for it is kept.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/pause", params(Said),
    responses(
        (status = 200, description = "it is paused"),
        (status = 202, description = "it is running, and will be paused unless it ends first"),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)
    )
)]
pub async fn pause(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<StatusCode, Refusal> {
    done(&admin, id, operator(said.reason)?, Operation::Pause).await
}

/// Resumes an invocation that is paused, or waits for its next attempt or for anything else: it
/// runs now, and may move to another deployment.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/resume", params(Resume),
    responses(
        (status = 200), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody),
        (status = 425, body = ErrorBody, description = "it has not started yet")
    )
)]
pub async fn resume(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(Resume { deployment, reason }): Query<Resume>,
) -> Result<StatusCode, Refusal> {
    let operator = operator(reason)?;
    let onto = moved_to(&admin, &id, deployment.as_deref()).await?;
    done(&admin, id, operator, Operation::Resume { onto }).await
}

/// The deployment to move an invocation to, if it can go on there; `None` to keep the one that it
/// has.
pub(super) async fn moved_to(
    admin: &Admin,
    id: &str,
    wanted: Option<&str>,
) -> Result<Option<DeploymentId>, Refusal> {
    let Some(wanted) = wanted.filter(|wanted| *wanted != "keep") else { return Ok(None) };
    let target = parse(id)?;
    let partition = admin.partitions.owner(target.partition_key);
    let pinned = admin.partitions.read(partition, Pinned(target)).await?;
    let (handler, pin, _) = pinned.ok_or_else(|| unknown(id.to_owned()))?;
    let stored = deployment_of(admin, &handler, wanted)?;
    if let Some(pin) = pin {
        check_speaks(&stored.deployment, pin.protocol)?;
        return Ok(Some(stored.deployment.id));
    }
    // What has not begun anywhere begins on the latest one: there is nothing to move.
    let registry = admin.registry.snapshot();
    let latest = registry.latest_deployment(&handler.service).map(|latest| latest.deployment.id);
    let moves_to = stored.deployment.id;
    Ok(Some(moves_to).filter(|_| latest != Some(moves_to)))
}

/// The deployment called `latest`, or one with this id; it must offer the handler.
pub(super) fn deployment_of(
    admin: &Admin,
    handler: &Target,
    wanted: &str,
) -> Result<Arc<StoredDeployment>, Refusal> {
    let registry = admin.registry.snapshot();
    let stored = if wanted == "latest" {
        registry.latest_deployment(&handler.service).ok_or_else(|| {
            Refusal::BadRequest(format!("no deployment offers the service '{}'", handler.service))
        })?
    } else {
        let deployment = deployments::parse(wanted)?;
        registry.deployment(deployment).ok_or_else(|| {
            Refusal::BadRequest(format!("there is no deployment '{wanted}' to run it; GET /deployments lists all that there are"))
        })?
    };
    let deployment = &stored.deployment;
    if deployment.handler(&handler.service, &handler.handler).is_none() {
        return Err(Refusal::BadRequest(format!(
            "deployment '{}' does not offer {}/{}",
            deployment.id, handler.service, handler.handler
        )));
    }
    Ok(Arc::clone(stored))
}

/// Checks that an invocation that has begun in this version can go on there.
pub(super) fn check_speaks(
    deployment: &Deployment,
    version: ProtocolVersion,
) -> Result<(), Refusal> {
    let (min, max) = deployment.protocol_range;
    let version = version.number();
    if (min..=max).contains(&version) {
        return Ok(());
    }
    Err(Refusal::BadRequest(format!(
        "the invocation has begun in version {version} of the service protocol, and deployment '{}' \
         speaks {min} to {max}; restart the invocation there from its input instead",
        deployment.id
    )))
}

/// Does it, and answers whether it is done already.
async fn done(
    admin: &Admin,
    id: String,
    operator: Operator,
    operation: Operation,
) -> Result<StatusCode, Refusal> {
    let done = operate(admin, id, operator, operation).await?;
    Ok(if done == Done::Requested { StatusCode::ACCEPTED } else { StatusCode::OK })
}

/// What has become of an operation that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// It is done.
    Already,
    /// The invocation sees to it.
    Requested,
    /// There is a new invocation.
    Restarted(InvocationId),
}

/// Does it, and says what became of it.
pub(super) async fn operate(
    admin: &Admin,
    id: String,
    operator: Operator,
    operation: Operation,
) -> Result<Done, Refusal> {
    let target = parse(&id)?;
    match admin.partitions.operate(operator, target, operation).await? {
        Outcome::Done => Ok(Done::Already),
        Outcome::Requested => Ok(Done::Requested),
        Outcome::Restarted(id) => Ok(Done::Restarted(id)),
        Outcome::NotRestartable(why) => Err(restart::refused(&id, why)),
        Outcome::NotFound => Err(unknown(id)),
        Outcome::NotPinned => Err(Refusal::Conflict(format!(
            "invocation '{id}' has not begun anywhere yet, so it cannot be moved; resume it without \
             'deployment', and it begins on the latest one"
        ))),
        Outcome::Refused(status) => Err(refused(&id, operation, status)),
    }
}

/// Why an operation cannot be done to an invocation in this status, and what can.
fn refused(id: &str, operation: Operation, status: StatusKind) -> Refusal {
    let because = |why: &str| format!("invocation '{id}' is {}: {why}", text::status(status));
    let has_not_started = matches!(status, StatusKind::Scheduled | StatusKind::Inboxed);
    match operation {
        Operation::Cancel | Operation::Kill => Refusal::Conflict(because(
            "there is nothing left to end; purge it to remove it before its retention is over",
        )),
        Operation::Purge | Operation::PurgeJournal => Refusal::Conflict(because(
            "only completed invocations can be removed, or their journals; cancel or kill it first",
        )),
        Operation::Pause if has_not_started => Refusal::Conflict(because(
            "only what has started can be paused; cancel it if it should not start",
        )),
        Operation::Resume { .. } if has_not_started => {
            Refusal::TooEarly(because("it starts by itself, and can be resumed from then on"))
        }
        Operation::RestartAsNew(_) if has_not_started => Refusal::TooEarly(because(
            "it starts by itself, and can be restarted once it has ended",
        )),
        Operation::RestartAsNew(_) => Refusal::Conflict(because(
            "only what has ended can be restarted; cancel or kill it first, or let it end",
        )),
        Operation::Resume { .. } if status == StatusKind::Running => Refusal::Conflict(because(
            "it can move to another deployment only between two attempts; pause it first",
        )),
        Operation::Pause | Operation::Resume { .. } => {
            Refusal::Conflict(because("it has ended, and no more of its code will run"))
        }
    }
}
