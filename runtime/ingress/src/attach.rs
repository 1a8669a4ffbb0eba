//! Attach: wait for the result of an invocation. Output: look at it without waiting.

use bytes::Bytes;
use http::Response;
use protocol::{InvocationId, TerminalFailure};
use runtime_core::tables::invocation::Status;

use crate::{Ingress, body::Body, error::Rejection, lookup, path::Named, response, typing};

/// Waits for the result.
pub(crate) async fn attach(
    ingress: &Ingress,
    id: InvocationId,
) -> Result<Response<Body>, Rejection> {
    match ingress.partitions.attach(id).await? {
        Some(completion) => {
            let output = typing::of(ingress, id, &completion.target).await?;
            Ok(response::result(id, &completion, &output, true))
        }
        None => Ok(response::failure(id, &TerminalFailure::not_found())),
    }
}

/// Looks at the result.
pub(crate) async fn output(
    ingress: &Ingress,
    id: InvocationId,
) -> Result<Response<Body>, Rejection> {
    let to = ingress.partitions.owner(id.partition_key);
    let row = ingress
        .partitions
        .read(to, move |tables| {
            let now = tables.meta().stamp.at();
            let lsn = tables.invocation_lsn(id)?;
            tables.invocation(lsn).filter(|row| match &row.status {
                Status::Completed { completion, .. } => {
                    completion.expires_at.is_none_or(|expires_at| expires_at > now)
                }
                Status::Waiting(_) | Status::Running { .. } | Status::Paused => true,
            })
        })
        .await?;
    let Some(row) = row else { return Err(Rejection::InvocationNotFound) };
    match &row.status {
        Status::Completed { completion, .. } => {
            let output = typing::by(ingress, row.pin, &completion.target);
            Ok(response::result(id, completion, &output, true))
        }
        Status::Waiting(_) | Status::Running { .. } | Status::Paused => Err(Rejection::NotReady),
    }
}

/// The invocation that a path names.
pub(crate) fn resolve(ingress: &Ingress, named: Named) -> Result<InvocationId, Rejection> {
    match named {
        Named::Id(id) => lookup::parse_invocation(&id),
        Named::Idempotent { address, idempotency_key } => Ok(ingress.derivation.idempotency_key(
            None,
            &address.service,
            &address.key,
            &address.handler,
            &idempotency_key,
        )),
        // Whether there is such a workflow makes no difference: nobody has run it then.
        Named::Workflow { name, key } => Ok(ingress.derivation.workflow(None, &name, &key)),
    }
}

/// The invocation that a JSON body names.
pub(crate) fn resolve_body(ingress: &Ingress, body: &Bytes) -> Result<InvocationId, Rejection> {
    lookup::parse(ingress.derivation, body)
}
