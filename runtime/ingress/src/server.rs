//! Dispatches requests: whether each is meant for this server, and which verb handles it.

use std::convert::Infallible;
use std::future::{self, Future};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{Request, body::Body, service::service_fn};
use runtime_http::{Limits, body::BoxError, linger::Lingering};
use tokio::net::TcpListener;
use tower::{Layer, Service};
use tower_http::cors::CorsLayer;

use crate::{
    Ingress, attach, awakeable, body,
    error::Rejection,
    health, invoke,
    lookup::Found,
    path::{self, Route},
    response, send,
};

/// Serves until `shutdown` resolves, then lets requests in progress finish within
/// [`Limits::grace`].
pub async fn serve(
    listener: TcpListener,
    limits: Limits,
    ingress: Ingress,
    shutdown: impl Future<Output = ()>,
) {
    let cors = ingress.access.origins.layer();
    let without_origin = Arc::new(headers_without_origin(&cors).await);
    let ingress = Arc::new(ingress);
    let service = service_fn(move |request: Request<Lingering>| {
        let (ingress, without_origin) = (Arc::clone(&ingress), Arc::clone(&without_origin));
        if let Err(error) = ingress.access.hosts.check(&request) {
            let refusal = Rejection::from(error).response();
            return Box::pin(future::ready(Ok(refusal))) as ResponseFuture;
        }
        if request.headers().contains_key(header::ORIGIN) || is_preflight(&request) {
            Box::pin(answer_browser(ingress, cors.clone(), request))
        } else {
            Box::pin(answer_other(ingress, without_origin, request))
        }
    });
    runtime_http::serve(listener, limits, service, shutdown).await;
}

/// Boxed, because the future is large and its callers move it around.
type ResponseFuture =
    Pin<Box<dyn Future<Output = Result<Response<body::Body>, Infallible>> + Send>>;

async fn answer_browser(
    ingress: Arc<Ingress>,
    cors: CorsLayer,
    request: Request<Lingering>,
) -> Result<Response<body::Body>, Infallible> {
    // An OPTIONS request that is not a preflight asks which methods exist, not what CORS allows.
    // The layer would answer it instead of passing it on.
    if request.method() == Method::OPTIONS && !is_preflight(&request) {
        return Ok(answer(&ingress, request).await);
    }
    let answering = tower::service_fn(move |request| {
        let ingress = Arc::clone(&ingress);
        async move { Ok::<_, Infallible>(answer(&ingress, request).await) }
    });
    cors.layer(answering).call(request).await
}

async fn answer_other(
    ingress: Arc<Ingress>,
    without_origin: Arc<HeaderMap>,
    request: Request<Lingering>,
) -> Result<Response<body::Body>, Infallible> {
    // Without an origin, OPTIONS asks which methods exist, not what CORS allows.
    let asks_what_there_is = request.method() == Method::OPTIONS;
    let mut response = answer(&ingress, request).await;
    if !asks_what_there_is {
        response.headers_mut().extend(HeaderMap::clone(&without_origin));
    }
    Ok(response)
}

/// The CORS headers of responses to requests without an origin, which are always the same. Most
/// clients are not browsers, and the layer costs more than some of their requests.
async fn headers_without_origin(cors: &CorsLayer) -> HeaderMap {
    let nothing = |_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) };
    let Ok(response) = cors.layer(tower::service_fn(nothing)).call(Request::new(())).await;
    response.into_parts().0.headers
}

fn is_preflight<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Answers one request, whatever transport carries it.
pub async fn answer<B>(ingress: &Ingress, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let is_head = request.method() == Method::HEAD;
    let answer = handle(ingress, request).await;
    let answer = answer.unwrap_or_else(|rejection| rejection.response());
    if is_head { without_body(answer) } else { answer }
}

async fn handle<B>(
    ingress: &Ingress,
    request: Request<B>,
) -> Result<Response<body::Body>, Rejection>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let registry = ingress.registry.snapshot();
    let route = path::parse(request.uri().path(), |service| {
        registry.service(service).map(|service| service.definition().kind.is_keyed())
    })?;
    drop(registry);
    let (method, allowed) = (request.method(), route.methods());
    if method == Method::OPTIONS {
        return Ok(response::options(allowed));
    }
    if !allowed.contains(method) {
        return Err(Rejection::Method { method: method.clone(), allowed });
    }
    match route {
        Route::Call(address) => invoke::call(ingress, request, address).await,
        Route::Send(address) => send::send(ingress, request, address).await,
        Route::Attach(named) => {
            // Attaching may wait a long time.
            drop(request);
            attach::attach(ingress, attach::resolve(ingress, named)?).await
        }
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
            let id = awakeable::parse(&id)?;
            let (body, held) = body::read_result(ingress, request.into_body()).await?;
            awakeable::complete(ingress, id, resolve, body, held).await
        }
        Route::Health => Ok(health::health(ingress).await),
    }
}

/// The response to HEAD: that to GET without the body.
fn without_body(response: Response<body::Body>) -> Response<body::Body> {
    let (mut parts, body) = response.into_parts();
    let length = body.size_hint().exact().unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Response::from_parts(parts, body::full(Bytes::new()))
}
