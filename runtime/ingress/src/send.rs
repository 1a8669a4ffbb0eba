//! Send: answer as soon as the request is durable; the handler runs now or later.

use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::{Request, body::Body as HttpBody};
use runtime_core::{
    effect::Answer,
    event::{Event, Source},
    time::Timestamp,
};
use runtime_http::rfc3339;
use serde::Serialize;

use crate::{
    Ingress, body,
    error::Rejection,
    headers,
    invoke::{Prepared, prepare},
    path::Address,
    response,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    invocation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_time: Option<String>,
    status: &'static str,
}

pub(crate) async fn send<B>(
    ingress: &Ingress,
    request: Request<B>,
    address: Address,
) -> Result<Response<body::Body>, Rejection>
where
    B: HttpBody<Data = Bytes, Error: Into<runtime_http::body::BoxError>>,
{
    let (parts, incoming) = request.into_parts();
    let delay_ms = headers::delay_ms(parts.uri.query())?;
    let (bytes, held) = body::read(ingress, &parts, incoming).await?;
    let Prepared { mut invoke, .. } = prepare(ingress, &parts, bytes, address)?;
    invoke.start_at = delay_ms.map(|delay_ms| Timestamp(ingress.now_ms()).after_ms(delay_ms));
    let to = ingress.partitions.owner(invoke.id.partition_key);
    let id = invoke.id;
    let answer = ingress
        .partitions
        .request(to, held, |request| {
            invoke.source = Source::IngressSend { request };
            Event::Invoked(invoke)
        })
        .await
        .map_err(|error| Rejection::of_request(error, id))?;
    // The machine answers a send in no other way.
    let Answer::Accepted { id, duplicate, start_at } = answer else {
        return Err(Rejection::Unknown(id));
    };
    let accepted = Accepted {
        invocation_id: id.to_string(),
        execution_time: start_at.map(|at| rfc3339::with_nanoseconds(at.0)),
        status: if duplicate { "PreviouslyAccepted" } else { "Accepted" },
    };
    let mut response = response::json(StatusCode::ACCEPTED, &accepted);
    response::name(&mut response, id);
    Ok(response)
}
