//! The HTTP routes of the endpoint.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::{Body, Frame};
use protocol::{
    ProtocolVersion,
    surface::{self, path},
};

use super::{
    AttemptBody, Endpoint, Opening, discovery, identity, patience::Wait, poll_budget::PollCost,
};

/// Value of the header that identifies this SDK.
const SERVER: &str = concat!("abide-sdk-rust/", env!("CARGO_PKG_VERSION"));
/// Routes a request to its response.
pub(super) fn answer<B>(endpoint: &Endpoint, request: Request<B>) -> Response<ResponseBody<B>> {
    let mut segments = request.uri().path().trim_end_matches('/').rsplit('/');
    let last = segments.next().unwrap_or_default();
    let (service, verb) = (segments.next(), segments.next());
    match (request.method(), service, verb) {
        (&Method::GET, ..) if last == "health" => say(StatusCode::OK, "OK"),
        (&Method::GET, ..) if last == path::DISCOVER => {
            match verify(endpoint, &request, || format!("/{}", path::DISCOVER)) {
                Ok(()) => discover(endpoint, &request),
                Err(refused) => refused,
            }
        }
        (&Method::POST, Some(service), Some(path::INVOKE)) => {
            match verify(endpoint, &request, || format!("/{}/{service}/{last}", path::INVOKE)) {
                Ok(()) => match open(endpoint, service, last, &request) {
                    Ok((opening, version)) => attempt(endpoint, opening, version, request),
                    Err(refused) => refused,
                },
                Err(refused) => refused,
            }
        }
        _ => {
            let known = "this endpoint serves GET /health, GET /discover and \
                         POST /invoke/{service}/{handler}";
            say(StatusCode::NOT_FOUND, known)
        }
    }
}

#[expect(clippy::result_large_err, reason = "the error is the response itself")]
fn verify<B>(
    endpoint: &Endpoint,
    request: &Request<B>,
    audience: impl FnOnce() -> String,
) -> Result<(), Response<ResponseBody<B>>> {
    if endpoint.keys.is_empty() {
        return Ok(());
    }
    identity::verify(&endpoint.keys, request.headers(), &audience(), endpoint.clock.now_ms())
        .map_err(|refused| say(StatusCode::UNAUTHORIZED, &refused.to_string()))
}

fn discover<B>(endpoint: &Endpoint, request: &Request<B>) -> Response<ResponseBody<B>> {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let Some((version, content_type)) = discovery::negotiate(accept) else {
        let message = "this endpoint supports manifest versions 2 to 4";
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

#[expect(clippy::result_large_err, reason = "the error is the response itself")]
fn open<B>(
    endpoint: &Endpoint,
    service: &str,
    handler: &str,
    request: &Request<B>,
) -> Result<(Opening, ProtocolVersion), Response<ResponseBody<B>>> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(version) = ProtocolVersion::from_content_type(content_type) else {
        let message =
            "this endpoint supports service protocol versions 5 to 7, selected by the content type";
        return Err(say(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    };
    let Some(opening) = endpoint.open(service, handler) else {
        let message = format!("there is no handler '{handler}' in a service '{service}' here");
        return Err(say(StatusCode::NOT_FOUND, &message));
    };
    Ok((opening, version))
}

fn attempt<B>(
    endpoint: &Endpoint,
    opening: Opening,
    version: ProtocolVersion,
    request: Request<B>,
) -> Response<ResponseBody<B>> {
    let body = opening.attempt(version, request.into_body());
    let content_type = HeaderValue::from_static(version.content_type());
    let punctual = Punctual {
        body,
        patience: endpoint.patience.journal,
        loaded: None,
        wait: Wait::default(),
        is_late: false,
    };
    respond(StatusCode::OK, content_type, ResponseBody::Attempt(Box::new(punctual)))
}

fn say<B>(status: StatusCode, message: &str) -> Response<ResponseBody<B>> {
    respond(status, HeaderValue::from_static("text/plain"), whole(message.to_owned()))
}

fn respond<B>(
    status: StatusCode,
    content_type: HeaderValue,
    body: ResponseBody<B>,
) -> Response<ResponseBody<B>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(surface::header::SERVER, HeaderValue::from_static(SERVER));
    headers.insert(header::CONTENT_TYPE, content_type);
    response
}

/// A complete body, or a running attempt.
pub(super) enum ResponseBody<B> {
    Whole(Option<Bytes>),
    Attempt(Box<Punctual<B>>),
}

/// An attempt with a timeout on the arrival of its journal.
pub(super) struct Punctual<B> {
    body: AttemptBody<B>,
    patience: Duration,
    /// How many bytes had arrived as of the last poll.
    loaded: Option<u64>,
    wait: Wait,
    is_late: bool,
}

impl<B: Body + Unpin> Punctual<B> {
    /// Ends the stream without a final message when nothing arrives for too long; a runtime that is
    /// still there retries the attempt.
    fn poll_frame(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let loading = self.body.loading().filter(|_| polled.is_pending());
        if loading.is_none() {
            self.wait.end();
            return polled;
        }
        let has_come = std::mem::replace(&mut self.loaded, loading) != loading;
        match self.wait.poll(cx, self.patience, has_come) {
            Poll::Ready(()) => {
                self.is_late = true;
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<B> ResponseBody<B> {
    /// The poll cost of the handler, if this is an attempt.
    pub(super) fn cost(&self) -> Option<&PollCost> {
        match self {
            Self::Whole(_) => None,
            Self::Attempt(attempt) => Some(attempt.body.cost()),
        }
    }
}

fn whole<B>(bytes: impl Into<Bytes>) -> ResponseBody<B> {
    ResponseBody::Whole(Some(bytes.into()))
}

impl<B: Body + Unpin> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Attempt(attempt) => attempt.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Attempt(attempt) => attempt.is_late || attempt.body.is_end_stream(),
        }
    }
}
