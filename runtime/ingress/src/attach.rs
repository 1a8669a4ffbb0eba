//! Attach waits for the result of an invocation. Output reads it without waiting.

use bytes::Bytes;
use http::Response;
use protocol::{InvocationId, Target, TerminalFailure};
use runtime_core::model::invocation::Pin;

use crate::{
    Ingress,
    answers::{self, Kept, Known},
    body::Body,
    error::Rejection,
    lookup,
    path::Named,
    response, typing,
};

/// Responds with the result once the invocation has ended.
pub(crate) async fn attach(
    ingress: &Ingress,
    id: InvocationId,
) -> Result<Response<Body>, Rejection> {
    match answers::look(ingress, id).await? {
        Known::Ended(kept, pin) => return answer(ingress, id, kept, pin),
        Known::Nothing => return Ok(response::failure(id, &TerminalFailure::not_found())),
        Known::UnderWay(target, pin) => check_public(ingress, pin, &target)?,
    }
    match ingress.partitions.attach(id).await? {
        Some(completion) => {
            let kept = answers::keep(ingress, id, completion).await?;
            let output = typing::of(ingress, id, &kept.completion.target).await?;
            Ok(response::result(id, kept, &output, true))
        }
        None => Ok(response::failure(id, &TerminalFailure::not_found())),
    }
}

/// Responds with the result if the invocation has ended.
pub(crate) async fn output(
    ingress: &Ingress,
    id: InvocationId,
) -> Result<Response<Body>, Rejection> {
    match answers::look(ingress, id).await? {
        Known::Ended(kept, pin) => answer(ingress, id, kept, pin),
        Known::UnderWay(target, pin) => {
            check_public(ingress, pin, &target)?;
            Err(Rejection::NotReady)
        }
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
        // No need to check that such a workflow exists: if not, it has no run either.
        Named::Workflow { name, key } => Ok(ingress.derivation.workflow(None, &name, &key)),
    }
}

/// The invocation that a JSON body names.
pub(crate) fn resolve_body(ingress: &Ingress, body: &Bytes) -> Result<InvocationId, Rejection> {
    lookup::parse(ingress.derivation, body)
}

fn answer(
    ingress: &Ingress,
    id: InvocationId,
    kept: Kept,
    pin: Option<Pin>,
) -> Result<Response<Body>, Rejection> {
    check_public(ingress, pin, &kept.completion.target)?;
    let output = typing::by(ingress, pin, &kept.completion.target);
    Ok(response::result(id, kept, &output, true))
}

/// The result of a handler that can't be called from outside can't be read from there either.
fn check_public(ingress: &Ingress, pin: Option<Pin>, target: &Target) -> Result<(), Rejection> {
    let Target { service, handler, .. } = target.clone();
    match ingress.registry.snapshot().is_public(pin, target) {
        Some(true) => Ok(()),
        Some(false) => Err(Rejection::Private { service, handler }),
        // If the deployment is unknown, the result is withheld.
        None => Err(Rejection::Removed { service, handler }),
    }
}
