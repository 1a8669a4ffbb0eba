//! The endpoint over HTTP: routes, and the server.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::{
    body::{Body, Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use protocol::ProtocolVersion;
use tokio::net::TcpListener;

use super::{AttemptBody, Endpoint, Opening, discovery, identity};

/// How we name ourselves.
const SERVER: &str = concat!("abide-sdk-rust/", env!("CARGO_PKG_VERSION"));
/// How long what is under way may take when the process is asked to end.
const GRACE: Duration = Duration::from_secs(10);
/// After the listener failed, as when there are no file descriptors left, it is tried again so often.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Done when the process is asked to end.
pub(super) async fn asked_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Without the handler there is Ctrl-C.
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            let (interrupt, terminate) = (pin!(interrupt), pin!(terminate.recv()));
            futures::future::select(interrupt, terminate).await;
            return;
        }
    }
    let _ = interrupt.await;
}

/// Serves until `end` is done, then finishes what is under way.
pub(super) async fn serve(
    endpoint: Arc<Endpoint>,
    listener: TcpListener,
    end: impl Future<Output = ()>,
) {
    endpoint.say_listening(listener.local_addr());
    let mut server = auto::Builder::new(TokioExecutor::new());
    // The runtime limits how many attempts there are at once.
    server.http2().max_concurrent_streams(None).auto_date_header(false);
    let under_way = GracefulShutdown::new();
    let mut end = pin!(end);
    loop {
        let accepting = pin!(listener.accept());
        let stream = match futures::future::select(accepting, end.as_mut()).await {
            futures::future::Either::Left((Ok((stream, _)), _)) => stream,
            futures::future::Either::Left((Err(error), _)) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
            futures::future::Either::Right(((), _)) => break,
        };
        // Frames are small and waited for.
        let _ = stream.set_nodelay(true);
        let accepted = Arc::new(AtomicUsize::new(0));
        let (endpoint, counted) = (Arc::clone(&endpoint), Arc::clone(&accepted));
        let service = service_fn(move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok::<_, Infallible>(answer(&endpoint, request)))
        });
        let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = Polite::new(Box::pin(under_way.watch(connection)), accepted);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended");
            }
        });
    }
    if tokio::time::timeout(GRACE, under_way.shutdown()).await.is_err() {
        tracing::warn!("the endpoint ends with attempts under way; the runtime tries them again");
    }
}

/// A connection that lets whatever else is ready go first: it is woken by each stream that has something
/// to say, and would write for each alone what it can write for all at once.
struct Polite<C> {
    connection: C,
    /// Requests that have come in on it.
    accepted: Arc<AtomicUsize>,
    /// How many more times it yields, unless requests come in together again.
    patience: u32,
    has_yielded: bool,
}

/// Polls for which a connection stays polite after requests came in together: a connection with one at a
/// time has nobody to wait for, and yielding would wake another thread for nothing.
const PATIENCE: u32 = 16;

impl<C> Polite<C> {
    fn new(connection: C, accepted: Arc<AtomicUsize>) -> Self {
        Self { connection, accepted, patience: 0, has_yielded: false }
    }
}

impl<C: Future + Unpin> Future for Polite<C> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<C::Output> {
        self.has_yielded = !self.has_yielded && self.patience > 0;
        if self.has_yielded {
            // A task that wakes itself goes behind all that are ready.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = self.accepted.load(Ordering::Relaxed);
        let polled = Pin::new(&mut self.connection).poll(cx);
        let came_in = self.accepted.load(Ordering::Relaxed).wrapping_sub(before);
        self.patience = if came_in > 1 { PATIENCE } else { self.patience.saturating_sub(1) };
        polled
    }
}

/// Answers a request.
fn answer(endpoint: &Endpoint, request: Request<Incoming>) -> Response<ResponseBody> {
    let path = request.uri().path().trim_end_matches('/');
    let mut segments = path.rsplit('/');
    let last = segments.next().unwrap_or_default();
    let (service, verb) = (segments.next(), segments.next());
    match (request.method(), service, verb) {
        (&Method::GET, ..) if last == "health" => say(StatusCode::OK, "OK"),
        (&Method::GET, ..) if last == "discover" => {
            match verify(endpoint, &request, || "/discover".to_owned()) {
                Ok(()) => discover(endpoint, &request),
                Err(refused) => refused,
            }
        }
        (&Method::POST, Some(service), Some("invoke")) => {
            match verify(endpoint, &request, || format!("/invoke/{service}/{last}")) {
                Ok(()) => match open(endpoint, service, last, &request) {
                    Ok((opening, version)) => attempt(opening, version, request),
                    Err(refused) => refused,
                },
                Err(refused) => refused,
            }
        }
        _ => {
            let known = "this endpoint knows GET /health, GET /discover and \
                         POST /invoke/{service}/{handler}";
            say(StatusCode::NOT_FOUND, known)
        }
    }
}

#[expect(clippy::result_large_err, reason = "it is the response, made where the fault is known")]
fn verify(
    endpoint: &Endpoint,
    request: &Request<Incoming>,
    audience: impl FnOnce() -> String,
) -> Result<(), Response<ResponseBody>> {
    if endpoint.keys.is_empty() {
        return Ok(());
    }
    identity::verify(&endpoint.keys, request.headers(), &audience(), endpoint.clock.now_ms())
        .map_err(|refused| say(StatusCode::UNAUTHORIZED, &refused.to_string()))
}

fn discover(endpoint: &Endpoint, request: &Request<Incoming>) -> Response<ResponseBody> {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let Some((version, content_type)) = discovery::negotiate(accept) else {
        let message = "this endpoint writes manifests of version 2 to 4";
        return say(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    };
    let is_bidirectional = request.version() == Version::HTTP_2;
    let manifest = discovery::manifest(endpoint, is_bidirectional);
    let written = manifest.in_version(version).map(|manifest| serde_json::to_vec(&manifest));
    match written {
        Ok(Ok(json)) => {
            respond(StatusCode::OK, HeaderValue::from_static(content_type), whole(json))
        }
        Ok(Err(error)) => say(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(error) => say(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

#[expect(clippy::result_large_err, reason = "it is the response, made where the fault is known")]
fn open(
    endpoint: &Endpoint,
    service: &str,
    handler: &str,
    request: &Request<Incoming>,
) -> Result<(Opening, ProtocolVersion), Response<ResponseBody>> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(version) = ProtocolVersion::from_content_type(content_type) else {
        let message = "this endpoint speaks service protocol 5 to 7, named by the content type";
        return Err(say(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    };
    let Some(opening) = endpoint.open(service, handler) else {
        let message = format!("there is no handler '{handler}' of a service '{service}' here");
        return Err(say(StatusCode::NOT_FOUND, &message));
    };
    Ok((opening, version))
}

fn attempt(
    opening: Opening,
    version: ProtocolVersion,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let body = opening.attempt(version, request.into_body());
    let content_type = HeaderValue::from_static(version.content_type());
    respond(StatusCode::OK, content_type, ResponseBody::Attempt(Box::new(body)))
}

fn say(status: StatusCode, message: &str) -> Response<ResponseBody> {
    respond(status, HeaderValue::from_static("text/plain"), whole(message.to_owned()))
}

fn respond(
    status: StatusCode,
    content_type: HeaderValue,
    body: ResponseBody,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("x-restate-server", HeaderValue::from_static(SERVER));
    headers.insert(header::CONTENT_TYPE, content_type);
    response
}

/// A body that is there, or an attempt.
enum ResponseBody {
    Whole(Option<Bytes>),
    Attempt(Box<AttemptBody<Incoming>>),
}

fn whole(bytes: impl Into<Bytes>) -> ResponseBody {
    ResponseBody::Whole(Some(bytes.into()))
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Attempt(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Attempt(body) => body.is_end_stream(),
        }
    }
}
