//! Attach: wait for the result of an invocation. Output: look at it without waiting.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use protocol::{InvocationId, TerminalFailure};
use runtime_core::{
    effect::Completion,
    tables::{deployment::OutputRule, invocation::Status},
};

use crate::{Ingress, body::Body, error::Rejection, lookup, path::Named, response};

/// Waits for the result.
pub(crate) async fn attach(
    ingress: &Ingress,
    id: InvocationId,
) -> Result<Response<Body>, Rejection> {
    match ingress.partitions.attach(id).await? {
        Some(completion) => Ok(answer(ingress, id, &completion)),
        None => Ok(response::failure(id, &TerminalFailure::not_found())),
    }
}

/// Looks at the result.
pub(crate) async fn output(
    ingress: &Ingress,
    id: InvocationId,
) -> Result<Response<Body>, Rejection> {
    let to = ingress.partitions.owner(id.partition_key);
    let status = ingress
        .partitions
        .read(to, move |tables| {
            let now = tables.meta().stamp.at();
            let lsn = tables.invocation_lsn(id)?;
            tables.invocation(lsn).map(|row| row.status).filter(|status| match status {
                Status::Completed { completion, .. } => {
                    completion.expires_at.is_none_or(|expires_at| expires_at > now)
                }
                Status::Waiting(_) | Status::Running { .. } | Status::Paused => true,
            })
        })
        .await?;
    match status {
        Some(Status::Completed { completion, .. }) => Ok(answer(ingress, id, &completion)),
        Some(Status::Waiting(_) | Status::Running { .. } | Status::Paused) => {
            Err(Rejection::NotReady)
        }
        None => Err(Rejection::InvocationNotFound),
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
        Named::Workflow { name, key } => {
            let registry = ingress.registry.snapshot();
            if registry.service(&name).is_none() {
                return Err(crate::path::PathError::UnknownService(name).into());
            }
            Ok(ingress.derivation.workflow(None, &name, &key))
        }
    }
}

/// The invocation that a JSON body names.
pub(crate) fn resolve_body(ingress: &Ingress, body: &Bytes) -> Result<InvocationId, Rejection> {
    lookup::parse(ingress.derivation, body)
}

fn answer(ingress: &Ingress, id: InvocationId, completion: &Arc<Completion>) -> Response<Body> {
    let registry = ingress.registry.snapshot();
    let target = &completion.target;
    let output = registry.service(&target.service).and_then(|service| {
        let handler = service.handler(&target.handler)?;
        Some(service.handler_definition(handler).output.clone())
    });
    let untyped =
        || OutputRule { content_type: None, set_content_type_if_empty: false, json_schema: None };
    response::result(id, completion, &output.unwrap_or_else(untyped), true)
}
