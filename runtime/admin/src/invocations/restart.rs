//! Restarting an invocation that has ended: as a new one, from its input or from a prefix of its
//! journal.

use axum::{extract::State, http::HeaderMap};
use protocol::{ProtocolVersion, Target, journal::EntryIndex, surface::header::IDEMPOTENCY_KEY};
use runtime_core::{
    admission::{self, RestartOf},
    model::{
        invocation::{Pin, StatusKind},
        operation::{NotRestartable, Operation},
    },
    time::Timestamp,
};
use runtime_partition::random::SystemEntropy;
use runtime_views::invocation::Pinned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    operations::{Done, check_speaks, deployment_of, operate},
    parse,
};
use crate::{
    Admin,
    error::{ErrorBody, Refusal},
    extract::{Json, Path, Query},
    operator::operator,
};

/// How to restart an invocation.
#[derive(Debug, Deserialize, IntoParams)]
pub struct RestartAsNew {
    /// The last journal entry that the new invocation begins with, as numbered in `sys_journal`.
    /// Everything up to it keeps its results and is not carried out again. Only the input when
    /// absent.
    pub from: Option<EntryIndex>,
    /// Where it runs: `latest` (the default) for the latest deployment of its service, `keep` for
    /// the one of the old invocation, or the id of a deployment.
    pub deployment: Option<String>,
    /// Why it is done, for the audit: up to 1 KiB.
    pub reason: Option<String>,
}

/// The invocation that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct Restarted {
    /// Its id, in the partition of the old one.
    pub new_invocation_id: String,
}

/// Runs an invocation that has ended again, as a new one with the same input. With `from`, the new
/// one begins with a prefix of the journal, and goes on behind it. Requests with the same
/// `idempotency-key` header restart it once.
#[utoipa::path(
    patch, path = "/invocations/{invocation}/restart-as-new", params(RestartAsNew),
    responses(
        (status = 200, body = Restarted), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 410, body = ErrorBody, description = "its journal has been removed"),
        (status = 422, body = ErrorBody, description = "workflows run once"),
        (status = 425, body = ErrorBody, description = "it has not started yet")
    )
)]
pub async fn restart_as_new(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(RestartAsNew { from, deployment, reason }): Query<RestartAsNew>,
    headers: HeaderMap,
) -> Result<Json<Restarted>, Refusal> {
    let operator = operator(reason)?;
    let wanted = Wanted {
        from: from.unwrap_or(0),
        deployment: deployment.as_deref().unwrap_or("latest"),
        key: key(&headers)?,
    };
    let operation = planned(&admin, &id, wanted).await?;
    let Done::Restarted(new) = operate(&admin, id, operator, operation).await? else {
        unreachable!("a restart was answered otherwise")
    };
    Ok(Json(Restarted { new_invocation_id: new.to_string() }))
}

/// How invocations are to be restarted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) from: EntryIndex,
    /// `latest`, `keep`, or an id.
    pub(super) deployment: &'a str,
    /// The client's key for the request.
    pub(super) key: Option<&'a str>,
}

/// The client's key for a request. An empty one is a mistake of the client, whose requests would all
/// be one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let wrong = |what: &str| Refusal::BadRequest(format!("the header '{IDEMPOTENCY_KEY}' {what}"));
    if keys.any(|other| other != key) {
        return Err(wrong("is there several times, with different values; send one"));
    }
    match key.to_str() {
        Ok("") => Err(wrong("is empty; send a key, or leave it out")),
        Ok(key) => Ok(Some(key)),
        Err(_) => Err(wrong("is not plain text")),
    }
}

/// What to ask for. What cannot be restarted is refused there, and kept in the audit.
pub(super) async fn planned(
    admin: &Admin,
    id: &str,
    wanted: Wanted<'_>,
) -> Result<Operation, Refusal> {
    let old = parse(id)?;
    let partition = admin.partitions.owner(old.partition_key);
    let pin = match admin.partitions.read(partition, Pinned(old)).await? {
        Some((handler, pinned, StatusKind::Completed)) => place(admin, &handler, pinned, wanted)?,
        Some(_) | None => None,
    };
    let now = Timestamp(admin.now_ms());
    let of = RestartOf { id: old, key: wanted.key.map(|key| (admin.derivation, key)) };
    let restart = admission::restart(of, wanted.from, pin, now, &mut SystemEntropy);
    Ok(Operation::RestartAsNew(restart))
}

/// Where the new invocation runs; `None` if its first attempt is to choose. A prefix has to go on in
/// the version of the protocol in which it began.
fn place(
    admin: &Admin,
    handler: &Target,
    pinned: Option<Pin>,
    Wanted { from, deployment: wanted, .. }: Wanted<'_>,
) -> Result<Option<Pin>, Refusal> {
    if wanted == "keep" {
        let Some(Pin { deployment, .. }) = pinned else { return Ok(None) };
        deployment_of(admin, handler, &deployment.to_string())?;
        return Ok(pinned);
    }
    let stored = deployment_of(admin, handler, wanted)?;
    let deployment = &stored.deployment;
    let begun = pinned.map(|pin| pin.protocol).filter(|_| from > 0);
    if begun.is_none() && wanted == "latest" {
        return Ok(None);
    }
    let protocol = match begun {
        Some(version) => {
            check_speaks(deployment, version)?;
            version
        }
        None => {
            let (min, max) = deployment.protocol_range;
            ProtocolVersion::negotiate(min, max, admin.max_protocol).ok_or_else(|| {
                Refusal::BadRequest(format!(
                    "deployment '{}' speaks versions {min} to {max} of the service protocol, none \
                     of which this server may use",
                    deployment.id
                ))
            })?
        }
    };
    Ok(Some(Pin { deployment: deployment.id, protocol }))
}

/// Why an invocation that has ended cannot be restarted, and what can be done instead.
pub(super) fn refused(id: &str, why: NotRestartable) -> Refusal {
    let of = |text: &str| format!("invocation '{id}' cannot be restarted: {text}");
    match why {
        NotRestartable::Workflow => Refusal::Unprocessable(of(
            "it belongs to a workflow, which runs once for each key; run it under another key",
        )),
        NotRestartable::NoJournal => Refusal::Gone(of(
            "its journal has been removed, and its input with it; send the request again",
        )),
        NotRestartable::NoSuchEntry { entries } => Refusal::BadRequest(of(&format!(
            "its journal has the entries 0 to {}; choose one of them as 'from'",
            entries.saturating_sub(1)
        ))),
        NotRestartable::Uncompleted { command } => Refusal::BadRequest(of(&format!(
            "entry {command} never got its result; choose an entry before it as 'from'"
        ))),
        NotRestartable::OldProtocol => Refusal::Unprocessable(of(
            "it has run in version 5 of the service protocol, in which random numbers depend on \
             the id; restart it without 'from'",
        )),
        NotRestartable::Mistaken => Refusal::Conflict(of(
            "it is not the one any more that this was meant for; look at it and try again",
        )),
        NotRestartable::TooLarge => Refusal::BadRequest(of(
            "up to that entry there is more than can be copied; choose an earlier one as 'from'",
        )),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_key_is_one_and_not_empty() {
        let keyed = |keys: &[&'static str]| {
            let name = HeaderName::from_static(IDEMPOTENCY_KEY);
            let mut headers = HeaderMap::new();
            for value in keys {
                headers.append(name.clone(), HeaderValue::from_static(value));
            }
            key(&headers).map(|key| key.map(str::to_owned)).map_err(|refused| refused.to_string())
        };
        assert_eq!(keyed(&[]), Ok(None));
        assert_eq!(keyed(&["a"]), Ok(Some("a".to_owned())));
        assert_eq!(keyed(&["a", "a"]), Ok(Some("a".to_owned())));
        assert!(keyed(&[""]).unwrap_err().contains("is empty"));
        assert!(keyed(&["a", "b"]).unwrap_err().contains("send one"));
    }
}
