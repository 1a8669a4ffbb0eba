//! The same operation on many invocations, by id. Clients select the ids with SQL.

use axum::extract::State;
use futures::{StreamExt, stream};
use runtime_core::model::operation::Operation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::operations::{moved_to, operate};
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
/// enough to leave room for other requests.
const AT_ONCE: usize = 64;

/// Which invocations, and what else is to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
pub struct Batch {
    /// Up to 1000 ids.
    pub invocation_ids: Vec<String>,
    /// For `resume`: where they go on, as for a single one.
    pub deployment: Option<String>,
    /// Why it is done, for the audit: up to 1 KiB.
    pub reason: Option<String>,
}

/// What has become of each of them, in the order of the request.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Batched {
    /// Those for which it is done, or that see to it.
    pub succeeded: Vec<String>,
    /// The others.
    pub failed: Vec<Failed>,
}

/// An invocation for which the operation is not done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Failed {
    /// Its id, as in the request.
    pub invocation_id: String,
    /// Why not.
    pub error: String,
}

/// Does the same to many invocations: `cancel`, `kill`, `pause`, `resume`, `purge` or
/// `purge-journal`. Each is done or refused by itself.
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
    Json(batch): Json<Batch>,
) -> Result<Json<Batched>, Refusal> {
    let operation = parse(&name)?;
    let count = batch.invocation_ids.len();
    if count > IDS_MAX {
        return Err(Refusal::BadRequest(format!(
            "'invocation_ids' has {count} ids, and a request takes up to {IDS_MAX}; send several"
        )));
    }
    let operator = operator(batch.reason)?;
    let one = |id: String| {
        let (admin, deployment) = (&admin, batch.deployment.as_deref());
        let operator = operator.clone();
        async move {
            let done = async {
                let mut operation = operation;
                if let Operation::Resume { onto } = &mut operation {
                    *onto = moved_to(admin, &id, deployment).await?;
                }
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
            Ok(_) => batched.succeeded.push(id),
            // Nothing more can be done on a node that stops.
            Err(refusal @ Refusal::Request(_)) => return Err(refusal),
            Err(refusal) => {
                batched.failed.push(Failed { invocation_id: id, error: refusal.to_string() });
            }
        }
    }
    Ok(Json(batched))
}

fn parse(name: &str) -> Result<Operation, Refusal> {
    match name {
        "cancel" => Ok(Operation::Cancel),
        "kill" => Ok(Operation::Kill),
        "pause" => Ok(Operation::Pause),
        "resume" => Ok(Operation::Resume { onto: None }),
        "purge" => Ok(Operation::Purge),
        "purge-journal" => Ok(Operation::PurgeJournal),
        "restart-as-new" => Err(Refusal::NotImplemented(
            "this server cannot restart invocations yet; send the request again instead".to_owned(),
        )),
        other => Err(Refusal::BadRequest(format!(
            "'{}' is not an operation; expected cancel, kill, pause, resume, purge or purge-journal",
            text::shown(other)
        ))),
    }
}
