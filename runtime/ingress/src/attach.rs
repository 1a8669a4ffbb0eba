//! Attach: wait for the result of an invocation. Output: look at it without waiting.

use bytes::Bytes;
use http::Response;
use protocol::{InvocationId, TerminalFailure};
use runtime_core::tables::deployment::OutputRule;

use crate::{
    Ingress,
    answers::{self, Kept, Known},
    body::Body,
    error::Rejection,
    lookup,
    path::Named,
    response,
};

/// Waits for the result.
pub(crate) async fn attach(
    ingress: &Ingress,
    id: InvocationId,
) -> Result<Response<Body>, Rejection> {
    match answers::look(ingress, id).await? {
        Known::Ended(kept) => return Ok(answer(ingress, id, kept)),
        Known::Nothing => return Ok(response::failure(id, &TerminalFailure::not_found())),
        Known::UnderWay => (),
    }
    match ingress.partitions.attach(id).await? {
        Some(completion) => Ok(answer(ingress, id, answers::keep(ingress, id, completion).await?)),
        None => Ok(response::failure(id, &TerminalFailure::not_found())),
    }
}

/// Looks at the result.
pub(crate) async fn output(
    ingress: &Ingress,
    id: InvocationId,
) -> Result<Response<Body>, Rejection> {
    match answers::look(ingress, id).await? {
        Known::Ended(kept) => Ok(answer(ingress, id, kept)),
        Known::UnderWay => Err(Rejection::NotReady),
        Known::Nothing => Err(Rejection::InvocationNotFound),
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

fn answer(ingress: &Ingress, id: InvocationId, kept: Kept) -> Response<Body> {
    let registry = ingress.registry.snapshot();
    let target = &kept.completion.target;
    let output = registry.service(&target.service).and_then(|service| {
        let handler = service.handler(&target.handler)?;
        Some(service.handler_definition(handler).output.clone())
    });
    let untyped =
        || OutputRule { content_type: None, set_content_type_if_empty: false, json_schema: None };
    response::result(id, kept, &output.unwrap_or_else(untyped), true)
}
