//! Call: runs a handler and responds with its result. Also holds what calls and sends share.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request::Parts};
use hyper::{Request, body::Body as HttpBody};
use protocol::{HandlerKind, Target, TerminalFailure};
use runtime_core::{
    admission::{self, AdmissionError},
    model::{deployment::OutputRule, invocation::Invoke},
    registry::{Handler, RegistrySnapshot, Service},
    time::Timestamp,
};
use runtime_partition::{CallAnswer, random::SystemEntropy};
use runtime_schema::input_schema::Mismatch;

use crate::{
    Ingress, answers, body,
    error::Rejection,
    headers, input,
    path::{Address, PathError},
    response, typing,
};

pub(crate) async fn call<B>(
    ingress: &Ingress,
    request: Request<B>,
    address: Address,
) -> Result<Response<body::Body>, Rejection>
where
    B: HttpBody<Data = Bytes, Error: Into<runtime_http::body::BoxError>>,
{
    let (parts, incoming) = request.into_parts();
    if headers::delay_ms(parts.uri.query())?.is_some() {
        return Err(Rejection::Delay("only a send can be delayed".to_owned()));
    }
    find(&ingress.registry.snapshot(), &address)?;
    let (bytes, held) = body::read(ingress, &parts, incoming).await?;
    let Prepared { invoke, output, registry } = prepare(ingress, &parts, bytes, address).await?;
    // Calls may wait a long time.
    drop(parts);
    let id = invoke.id;
    let is_shared = invoke.idempotency_key.is_some();
    let answer = ingress
        .partitions
        .call(held, invoke)
        .await
        .map_err(|error| Rejection::of_request(error, id))?;
    Ok(match answer {
        CallAnswer::Completed { completion, was_stored } => {
            let kept = answers::keep(ingress, id, completion).await?;
            // Another request may have created the invocation, or a new revision may have arrived
            // before its first attempt.
            let is_as_prepared = !is_shared && Arc::ptr_eq(&registry, &ingress.registry.snapshot());
            let output = if is_as_prepared {
                output
            } else {
                typing::of(ingress, id, &kept.completion.target).await?
            };
            response::result(id, kept, &output, was_stored)
        }
        CallAnswer::AlreadyInvoked => {
            let TerminalFailure { code, message, .. } = TerminalFailure::workflow_already_invoked();
            let advice = format!(
                "{message} as {id}: ask for its result with GET /restate/attach/{id}; once it has ended, \
                 purging it through the admin API frees the key"
            );
            response::failure(id, &TerminalFailure::new(code, advice))
        }
    })
}

/// An invocation ready to be proposed, and the type of its response.
pub(crate) struct Prepared {
    pub(crate) invoke: Box<Invoke>,
    pub(crate) output: OutputRule,
    /// The registry snapshot that the request was checked against.
    pub(crate) registry: Arc<RegistrySnapshot>,
}

/// The handler at an address, if clients may call it. Checked before the body is read, so that no
/// client sends one for nothing, and again afterwards, when the registry may have changed.
pub(crate) fn find<'a>(
    registry: &'a RegistrySnapshot,
    address: &Address,
) -> Result<(&'a Service, &'a Handler), Rejection> {
    let Address { service: name, handler: handler_name, .. } = address;
    let Some(service) = registry.service(name) else {
        return Err(PathError::UnknownService(name.clone()).into());
    };
    match service.handler(handler_name) {
        None => {
            Err(Rejection::UnknownHandler { service: name.clone(), handler: handler_name.clone() })
        }
        Some(handler) if !handler.is_public => {
            Err(Rejection::Private { service: name.clone(), handler: handler_name.clone() })
        }
        Some(handler) => Ok((service, handler)),
    }
}

/// Checks a request against the registry and builds the invocation.
pub(crate) async fn prepare(
    ingress: &Ingress,
    parts: &Parts,
    body: Bytes,
    address: Address,
) -> Result<Prepared, Rejection> {
    let registry = ingress.registry.snapshot();
    let (service, handler) = find(&registry, &address)?;
    let definition = service.handler_definition(handler);
    headers::check_input(&parts.headers, body.is_empty(), &definition.input)?;
    let is_sent = !body.is_empty() || definition.input.required;
    let schema = ingress.registry.input_schema(&address.service, &address.handler);
    let schema = schema.filter(|_| is_sent).map(|schema| (schema, body.clone()));
    let idempotency_key = headers::idempotency_key(&parts.headers)?;
    if headers::has_limit_key(&parts.headers, parts.uri.query()) {
        return Err(AdmissionError::LimitKeyWithoutScope.into());
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = admission::Request {
        target: Target { service: address.service, key: address.key, handler: address.handler },
        idempotency_key,
        headers: headers::for_handler(&parts.headers, path, &ingress.access.dropped_headers)?,
        value: body,
        start_at: None,
    };
    let now = Timestamp(ingress.now_ms());
    let (facts, derivation) = (&handler.facts, ingress.derivation);
    let invoke = admission::request(request, facts, derivation, now, &mut SystemEntropy)?;
    let output = definition.output.clone();
    if let Some((schema, body)) = schema
        && let Err(mismatch) = input::check(schema, &parts.headers, body, ingress.long_checks).await
    {
        refuse(ingress, &invoke, mismatch).await?;
    }
    Ok(Prepared { invoke, output, registry })
}

/// Refuses an input that does not match its schema, unless the request only asks again for an
/// invocation that was accepted, before the schema had changed.
async fn refuse(ingress: &Ingress, invoke: &Invoke, mismatch: Mismatch) -> Result<(), Rejection> {
    let is_named = invoke.idempotency_key.is_some() || invoke.handler_kind == HandlerKind::Workflow;
    if is_named && answers::exists(ingress, invoke.id).await? {
        return Ok(());
    }
    let Target { service, handler, .. } = invoke.target.clone();
    Err(Rejection::Schema { service, handler, mismatch })
}
