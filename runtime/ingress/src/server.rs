//! Requests: what each asks for, and what a browser must be told.

use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{Request, body::Body, service::service_fn};
use runtime_http::{Limits, body::BoxError};
use tokio::net::TcpListener;

use crate::{
    Ingress, attach, awakeable, body,
    error::Rejection,
    health, invoke,
    lookup::Found,
    path::{self, Route},
    response, send,
};

/// Serves until `shutdown` resolves, then lets what is under way end within a moment.
pub async fn serve(
    listener: TcpListener,
    limits: Limits,
    ingress: Ingress,
    shutdown: impl Future<Output = ()>,
) {
    let service = service_fn(move |request| {
        let ingress = ingress.clone();
        async move { Ok::<_, Infallible>(answer(&ingress, request).await) }
    });
    runtime_http::serve(listener, limits, service, shutdown).await;
}

/// Answers one request, from whatever carries it.
pub async fn answer<B>(ingress: &Ingress, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let origin = request.headers().get(header::ORIGIN).cloned();
    let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if request.method() == Method::OPTIONS && origin.is_some() {
        preflight(&request)
    } else {
        handle(ingress, request).await.unwrap_or_else(|rejection| rejection.response())
    };
    allow_origin(response.headers_mut(), origin, wanted);
    response
}

async fn handle<B>(
    ingress: &Ingress,
    request: Request<B>,
) -> Result<Response<body::Body>, Rejection>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return Err(Rejection::Method(request.method().clone()));
    }
    let registry = ingress.registry.snapshot();
    let route = path::parse(request.uri().path(), |service| {
        registry.service(service).map(|service| service.definition().kind.is_keyed())
    })?;
    drop(registry);
    match route {
        Route::Call(address) => invoke::call(ingress, request, address).await,
        Route::Send(address) => send::send(ingress, request, address).await,
        Route::Attach(named) => attach::attach(ingress, attach::resolve(ingress, named)?).await,
        Route::Output(named) => attach::output(ingress, attach::resolve(ingress, named)?).await,
        Route::AttachBody => {
            let body = body::read_name(ingress, request.into_body()).await?;
            attach::attach(ingress, attach::resolve_body(ingress, &body)?).await
        }
        Route::OutputBody => {
            let body = body::read_name(ingress, request.into_body()).await?;
            attach::output(ingress, attach::resolve_body(ingress, &body)?).await
        }
        Route::Lookup => {
            let body = body::read_name(ingress, request.into_body()).await?;
            let invocation_id = attach::resolve_body(ingress, &body)?.to_string();
            Ok(response::json(StatusCode::OK, &Found { invocation_id }))
        }
        Route::Awakeable { id, resolve } => {
            let (body, held) = body::read_result(ingress, request.into_body()).await?;
            awakeable::complete(ingress, &id, resolve, body, held).await
        }
        Route::Health => Ok(health::health(ingress).await),
    }
}

/// Browsers ask before they send; everything is allowed.
fn preflight<B>(request: &Request<B>) -> Response<body::Body> {
    let mut response = Response::new(body::full(Bytes::new()));
    if let Some(method) = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_METHODS, method.clone());
    }
    response
}

fn allow_origin(headers: &mut HeaderMap, origin: Option<HeaderValue>, wanted: Option<HeaderValue>) {
    let Some(origin) = origin else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    if let Some(wanted) = wanted {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
    }
}
