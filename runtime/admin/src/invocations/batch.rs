//! The same operation on many invocations, by id. Clients select the ids with SQL.

use axum::{extract::State, http::HeaderMap};
use futures::{StreamExt, stream};
use protocol::journal::EntryIndex;
use runtime_core::model::operation::Operation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    operations::{Done, moved_to, operate},
    restart,
};
use crate::{
    Admin,
    error::{ErrorBody, Refusal},
    extract::{Json, Path},
    operator::operator,
    text,
};

/// The largest number of ids in a request.
const IDS_MAX: usize = 1000;
/// How many of them are worked on at a time: enough to share the log's group commits, and few
/// enough that calls go on as before. Beside a cancellation of 50,000 invocations, with the clients
/// and services on the same two cores, the p99 of calls is 1.7 times what it is alone; with 64 at a
/// time, when the cancellation takes half as long, it is 2.7 times (`benches`, part `bulk`).
const AT_ONCE: usize = 16;

/// Which invocations, and what else is to be said. Unknown fields are refused: a `dry_run` that
/// counted for nothing would be worse.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object", deny_unknown_fields)]
pub struct Batch {
    /// Up to 1000 ids.
    pub invocation_ids: Vec<String>,
    /// For `resume` and `restart-as-new`: where they go on, as for a single one.
    pub deployment: Option<String>,
    /// For `restart-as-new`: the last journal entry that each begins with, as for a single one.
    pub from: Option<EntryIndex>,
    /// Why it is done, for the audit: up to 1 KiB.
    pub reason: Option<String>,
}

/// What has become of each of them, in the order of the request.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Batched {
    /// Those for which it is done, or that see to it.
    pub succeeded: Vec<Succeeded>,
    /// The others.
    pub failed: Vec<Failed>,
}

/// An invocation for which it is done, or that sees to it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Succeeded {
    /// Its id, as in the request.
    Same(String),
    /// Of a restart: both invocations.
    Restarted {
        /// Its id, as in the request.
        old_invocation_id: String,
        /// The id of the new one.
        new_invocation_id: String,
    },
}

/// An invocation for which the operation is not done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Failed {
    /// Its id, as in the request.
    pub invocation_id: String,
    /// Why not.
    pub error: String,
}

/// Does the same to many invocations: `cancel`, `kill`, `pause`, `resume`, `restart-as-new`, `purge`
/// or `purge-journal`. Each is done or refused by itself.
#[utoipa::path(
    post, path = "/internal/invocations_batch_operations/{operation}", request_body = Batch,
    responses(
        (status = 200, body = Batched), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)
    )
)]
pub async fn batch(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(batch): Json<Batch>,
) -> Result<Json<Batched>, Refusal> {
    let verb = parse(&name)?;
    let count = batch.invocation_ids.len();
    if count > IDS_MAX {
        return Err(Refusal::BadRequest(format!(
            "'invocation_ids' has {count} ids, and a request takes up to {IDS_MAX}; send several"
        )));
    }
    let operator = operator(batch.reason)?;
    let restart = restart::Wanted {
        from: batch.from.unwrap_or(0),
        deployment: batch.deployment.as_deref().unwrap_or("latest"),
        key: restart::key(&headers)?,
    };
    let one = |id: String| {
        let (admin, deployment) = (&admin, batch.deployment.as_deref());
        let operator = operator.clone();
        async move {
            let done = async {
                let operation = match verb {
                    Verb::Plain(operation) => operation,
                    Verb::Resume => {
                        Operation::Resume { onto: moved_to(admin, &id, deployment).await? }
                    }
                    Verb::Restart => restart::planned(admin, &id, restart).await?,
                };
                operate(admin, id.clone(), operator, operation).await
            };
            let done = done.await;
            (id, done)
        }
    };
    let mut batched = Batched::default();
    let mut outcomes = stream::iter(batch.invocation_ids.into_iter().map(one)).buffered(AT_ONCE);
    while let Some((id, done)) = outcomes.next().await {
        match done {
            Ok(Done::Already | Done::Requested) => batched.succeeded.push(Succeeded::Same(id)),
            Ok(Done::Restarted(new)) => batched.succeeded.push(Succeeded::Restarted {
                old_invocation_id: id,
                new_invocation_id: new.to_string(),
            }),
            // Nothing more can be done on a node that stops.
            Err(refusal @ Refusal::Request(_)) => return Err(refusal),
            Err(refusal) => {
                batched.failed.push(Failed { invocation_id: id, error: refusal.to_string() });
            }
        }
    }
    Ok(Json(batched))
}

/// What is to be done to each of them.
#[derive(Debug, Clone, Copy)]
enum Verb {
    /// The same to all.
    Plain(Operation),
    /// Depends on where each is pinned.
    Resume,
    /// Takes a new id for each.
    Restart,
}

fn parse(name: &str) -> Result<Verb, Refusal> {
    match name {
        "cancel" => Ok(Verb::Plain(Operation::Cancel)),
        "kill" => Ok(Verb::Plain(Operation::Kill)),
        "pause" => Ok(Verb::Plain(Operation::Pause)),
        "resume" => Ok(Verb::Resume),
        "restart-as-new" => Ok(Verb::Restart),
        "purge" => Ok(Verb::Plain(Operation::Purge)),
        "purge-journal" => Ok(Verb::Plain(Operation::PurgeJournal)),
        other => Err(Refusal::BadRequest(format!(
            "'{}' is not an operation; expected cancel, kill, pause, resume, restart-as-new, purge \
             or purge-journal",
            text::shown(other)
        ))),
    }
}
