//! Why something does not go on: chains of what waits for what, from an invocation or a key, and
//! what the invocations of a service or a deployment wait for.

mod reading;
mod scanning;
mod view;

use axum::extract::State;
use protocol::ServiceKind;
use runtime_views::{
    page::Within,
    why::{Kind, Subject, Surroundings, chain::LINKS_MAX, groups::Scope},
};

use crate::{
    Admin, deployments,
    error::{ErrorBody, Refusal, Thing},
    extract::{Json, Path},
    invocations, text,
};
use reading::{follow, surroundings};
use scanning::{Scanned, scan};
pub use view::{
    AdviceView, CauseView, ChainView, GroupView, GroupsView, KeyView, LinkView, OldestView,
    SubjectView,
};

/// Returns why an invocation does not go on: what it waits for, what that waits for, and so on to
/// the causes, each with what would help. Partitions are read one after the other, so links may be
/// from slightly different moments.
#[utoipa::path(
    get, path = "/invocations/{invocation}/why",
    responses(
        (status = 200, body = ChainView), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody)
    )
)]
pub async fn of_invocation(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Json<ChainView>, Refusal> {
    let subject = Subject::Invocation(invocations::parse(&id)?);
    let around = surroundings(&admin);
    let why = follow(&admin, &around, subject.clone(), LINKS_MAX).await?;
    // For what was asked about itself, there is no message on its way.
    if why.links.first().is_some_and(|link| link.kind == Kind::InTransit) {
        return Err(invocations::unknown(id));
    }
    Ok(Json(ChainView::of(&subject, why, admin.now_ms())))
}

/// Returns what the invocations of a service wait for, in groups, with the oldest of each and why
/// it does not go on. Only those that have not ended are counted.
#[utoipa::path(
    get, path = "/services/{service}/why",
    responses((status = 200, body = GroupsView), (status = 404, body = ErrorBody))
)]
pub async fn of_service(
    State(admin): State<Admin>,
    Path(service): Path<String>,
) -> Result<Json<GroupsView>, Refusal> {
    let around = surroundings(&admin);
    let scope = Scope::Within(Within::Service(service.clone()));
    let scanned = scan(&admin, &around, &scope).await?;
    if scanned.is_nothing() && around.registry.service(&service).is_none() {
        return Err(Refusal::NotFound { what: Thing::Service, name: service });
    }
    groups(&admin, &around, scanned).await.map(Json)
}

/// Returns who holds a key of a virtual object or workflow, and why that one does not go on; and
/// what all invocations of the key wait for. The key is percent-encoded.
#[utoipa::path(
    get, path = "/services/{service}/keys/{key}/why",
    responses(
        (status = 200, body = KeyView), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody)
    )
)]
pub async fn of_key(
    State(admin): State<Admin>,
    Path((service, key)): Path<(String, String)>,
) -> Result<Json<KeyView>, Refusal> {
    let around = surroundings(&admin);
    let known = around.registry.service(&service).map(|known| known.definition().kind);
    if known == Some(ServiceKind::Service) {
        let service = text::shown(&service);
        return Err(Refusal::BadRequest(format!(
            "'{service}' is a plain service, which has no keys; ask /services/{service}/why"
        )));
    }
    let scope = Scope::Within(Within::Key { service: service.clone(), key: key.clone() });
    let scanned = scan(&admin, &around, &scope).await?;
    if scanned.is_nothing() && known.is_none() {
        return Err(Refusal::NotFound { what: Thing::Service, name: service });
    }
    let subject = Subject::Key { service, key };
    let why = follow(&admin, &around, subject.clone(), LINKS_MAX).await?;
    let invocations = groups(&admin, &around, scanned).await?;
    Ok(Json(KeyView { chain: ChainView::of(&subject, why, admin.now_ms()), invocations }))
}

/// Returns what the invocations wait for that are pinned to a deployment, or are about to run on it,
/// in groups, with the oldest of each and why it does not go on. One that was removed is known as
/// long as invocations are pinned to it.
#[utoipa::path(
    get, path = "/deployments/{deployment}/why",
    responses(
        (status = 200, body = GroupsView), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody)
    )
)]
pub async fn of_deployment(
    State(admin): State<Admin>,
    Path(id): Path<String>,
) -> Result<Json<GroupsView>, Refusal> {
    let deployment = deployments::parse(&id)?;
    let around = surroundings(&admin);
    let scanned = scan(&admin, &around, &Scope::Deployment(deployment)).await?;
    if scanned.is_nothing() && around.registry.deployment(deployment).is_none() {
        return Err(deployments::unknown(id));
    }
    groups(&admin, &around, scanned).await.map(Json)
}

/// How many links the chain of a group has at most.
const GROUP_LINKS_MAX: usize = 16;

/// Follows the oldest of each group.
async fn groups(
    admin: &Admin,
    around: &Surroundings,
    scanned: Scanned,
) -> Result<GroupsView, Refusal> {
    let Scanned { groups, is_complete, read } = scanned;
    let mut shown = Vec::with_capacity(groups.0.len());
    for (kind, group) in groups.0 {
        let subject = Subject::Invocation(group.oldest);
        let why = follow(admin, around, subject, GROUP_LINKS_MAX).await?;
        shown.push(GroupView::of(kind, &group, why, admin.now_ms()));
    }
    Ok(GroupsView::of(shown, is_complete, read))
}
