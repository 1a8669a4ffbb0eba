//! Send: responds as soon as the request is durable. The handler runs now or later.

use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::{Request, body::Body as HttpBody};
use runtime_core::time::Timestamp;
use runtime_partition::Accepted;
use runtime_views::rfc3339;
use serde::Serialize;

use crate::{
    Ingress, body,
    error::Rejection,
    headers,
    invoke::{Prepared, find, prepare},
    path::Address,
    response,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AcceptedBody {
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
    find(&ingress.registry.snapshot(), &address)?;
    let (bytes, held) = body::read(ingress, &parts, incoming).await?;
    let Prepared { mut invoke, .. } = prepare(ingress, &parts, bytes, address).await?;
    invoke.start_at = delay_ms.map(|delay_ms| Timestamp(ingress.now_ms()).after_ms(delay_ms));
    let id = invoke.id;
    let sent = ingress.partitions.send(held, invoke).await;
    let Accepted { id, duplicate, start_at } =
        sent.map_err(|error| Rejection::of_request(error, id))?;
    let accepted = AcceptedBody {
        invocation_id: id.to_string(),
        execution_time: start_at.map(|at| rfc3339::with_nanoseconds(at.0)),
        status: if duplicate { "PreviouslyAccepted" } else { "Accepted" },
    };
    let mut response = response::json(StatusCode::ACCEPTED, &accepted);
    response::name(&mut response, id);
    Ok(response)
}
