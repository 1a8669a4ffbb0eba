//! What a request looks like, and how its response is read.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming};
use protocol::{InvocationId, ProtocolVersion};
use runtime_core::{attempt::Fault, tables::deployment::Deployment};
use tokio::sync::mpsc;

use crate::client::{Clients, Place};

/// The writing end of a request's body; dropping it ends the body.
#[derive(Debug)]
pub(crate) struct BodySender(mpsc::UnboundedSender<Bytes>);

impl BodySender {
    pub(crate) fn send(&self, bytes: Bytes) {
        // A connection that broke is noticed where the response is read.
        let _ = self.0.send(bytes);
    }
}

/// A request's body: whatever is sent while it is open. What waits in it is bounded by what the
/// attempt was started with and has asked for.
#[derive(Debug)]
pub(crate) struct RequestBody(mpsc::UnboundedReceiver<Bytes>);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_closed() && self.0.is_empty()
    }
}

/// The request of an attempt, and the writing end of its body.
pub(crate) fn request(
    uri: Uri,
    version: ProtocolVersion,
    id: InvocationId,
    deployment: &Deployment,
) -> (Request<RequestBody>, BodySender) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut request = Request::new(RequestBody(receiver));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let content_type = HeaderValue::from_static(version.content_type());
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type.clone());
    headers.insert(header::ACCEPT, content_type);
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert("x-restate-invocation-id", id);
    }
    for (name, value) in &deployment.headers {
        // Registration has refused headers that cannot be sent.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    (request, BodySender(sender))
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Received {
    /// The head, and it is as it should be.
    Head,
    /// Some bytes of the body.
    Data(Bytes),
    /// The end of the body.
    End,
}

/// A request under way and its response.
pub(crate) struct Exchange(State);

type Checking = Pin<Box<dyn Future<Output = Result<(Incoming, Option<Place>), Fault>> + Send>>;

enum State {
    Head(Checking),
    /// The stream keeps its place on the connection for as long as it is open.
    Body(Incoming, Option<Place>),
    Ended,
}

/// How much of the body of a wrong response is shown.
const ERROR_BODY_BYTES_MAX: usize = 4096;

impl Exchange {
    pub(crate) fn begin(
        clients: &Clients,
        deployment: &Deployment,
        request: Request<RequestBody>,
        version: ProtocolVersion,
    ) -> Self {
        let responding = clients.send(deployment, request);
        Self(State::Head(Box::pin(async move {
            let (response, place) = responding.await?;
            Ok((check(response, version).await?, place))
        })))
    }

    /// The next thing that comes in. Can be dropped and called again without losing anything.
    pub(crate) async fn receive(&mut self) -> Result<Received, Fault> {
        match &mut self.0 {
            State::Head(checking) => {
                let checked = checking.await;
                self.0 = State::Ended;
                let (body, place) = checked?;
                self.0 = State::Body(body, place);
                Ok(Received::Head)
            }
            State::Body(body, _) => match body.frame().await {
                None => {
                    self.0 = State::Ended;
                    Ok(Received::End)
                }
                Some(Ok(frame)) => Ok(Received::Data(frame.into_data().unwrap_or_default())),
                Some(Err(error)) => {
                    self.0 = State::Ended;
                    Err(transport(&error))
                }
            },
            State::Ended => std::future::pending().await,
        }
    }

    /// Reads what is left, for a moment, so that the endpoint can end its stream in peace.
    pub(crate) async fn drain(self, timeout: Duration) {
        if let State::Body(mut body, _place) = self.0 {
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            let _ = tokio::time::timeout(timeout, rest).await;
        }
    }
}

/// The body of a response whose head is as it should be.
async fn check(response: Response<Incoming>, version: ProtocolVersion) -> Result<Incoming, Fault> {
    let status = response.status();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let expected = version.content_type();
    if status == StatusCode::OK && content_type.is_some_and(|found| found == expected) {
        return Ok(response.into_body());
    }
    let retry_after_ms = response
        .headers()
        .get(header::RETRY_AFTER)
        .filter(|_| matches!(status.as_u16(), 429 | 503))
        .and_then(|value| retry_after_ms(value.to_str().ok()?, SystemTime::now()));
    if status == StatusCode::OK {
        let found = content_type.map_or_else(|| "none".to_owned(), |found| format!("{found:?}"));
        let message = format!("the endpoint answered with content type {found}, not {expected}");
        return Err(Fault::Response { status: 200, message, retry_after_ms });
    }
    let body = Limited::new(response.into_body(), ERROR_BODY_BYTES_MAX).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let meaning = match status.as_u16() {
        401 => "the endpoint did not accept our identity",
        404 => "the endpoint does not know the service or handler",
        413 => "the journal is too large for the endpoint",
        415 => "the endpoint does not speak this protocol version any more; register it again",
        429 | 503 => "the endpoint is busy",
        502 | 504 => "nobody answers behind the endpoint's gateway",
        _ => "the endpoint answered with an unexpected status",
    };
    let text = String::from_utf8_lossy(&body);
    let message = format!("{meaning} (status {}): {}", status.as_u16(), text.trim());
    Err(Fault::Response { status: status.as_u16(), message, retry_after_ms })
}

/// How long to wait, in milliseconds: the header says it in seconds or names a time.
pub(crate) fn retry_after_ms(value: &str, now: SystemTime) -> Option<u64> {
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let wait = httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default();
    u64::try_from(wait.as_millis()).ok()
}

/// What a transport error says, with its causes.
pub(crate) fn transport(error: &(dyn std::error::Error + 'static)) -> Fault {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    Fault::Transport { message }
}
