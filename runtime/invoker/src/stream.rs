//! Requests to endpoints, and reading their responses.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header, response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use protocol::{InvocationId, ProtocolVersion, surface};
use runtime_core::{attempt::Fault, model::deployment::Deployment};
use runtime_partition::Clock;

use crate::{
    connection::{Stream, StreamGuard, StreamSlot},
    connector::Route,
    discover::causes,
    outgoing::Outgoing,
    unsent::Load,
};

/// Builds the head of an attempt's request.
pub(crate) fn request(
    uri: Uri,
    version: ProtocolVersion,
    id: InvocationId,
    deployment: &Deployment,
) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let content_type = HeaderValue::from_static(version.content_type());
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type.clone());
    headers.insert(header::ACCEPT, content_type);
    if let Ok(mut id) = HeaderValue::from_str(&id.to_string()) {
        // Unique to this request, so neither side should index it; in HTTP/2, "sensitive" prevents
        // that.
        id.set_sensitive(true);
        headers.insert(surface::header::ATTEMPT_OF, id);
    }
    for (name, value) in &deployment.headers {
        // Registration has rejected headers that cannot be sent.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    request
}

/// Something received from the endpoint.
#[derive(Debug)]
pub(crate) enum Received {
    /// Part of the body.
    Data(Bytes),
    /// The end of the body.
    End,
}

/// A request and its response. The first [`Exchange::receive`] sends the request, together with
/// everything queued before.
pub(crate) struct Exchange {
    version: ProtocolVersion,
    clock: Arc<dyn Clock>,
    outgoing: Outgoing,
    incoming: ResponseState,
    /// The stream slot on the connection, held for as long as the stream is open.
    guard: Option<StreamGuard>,
}

/// The progress of the response.
enum ResponseState {
    Unsent(Route, Request<()>),
    Connecting(Connecting, Request<()>),
    Head(Head),
    Body(ResponseBody),
    /// The head is not what was expected: the body is read as an explanation.
    Wrong(ResponseBody, Wrong),
    Over,
}

type Connecting = Pin<Box<dyn Future<Output = Result<StreamSlot, Fault>> + Send>>;

/// A response head that has yet to arrive.
enum Head {
    Direct(h2::client::ResponseFuture),
    Pooled(hyper_util::client::legacy::ResponseFuture),
}

enum ResponseBody {
    Direct(RecvStream),
    Pooled(Incoming),
}

struct Wrong {
    status: StatusCode,
    retry_after_ms: Option<u64>,
    body: BytesMut,
}

/// How much of the body of an unexpected response is included in the error.
const ERROR_BODY_BYTES_MAX: usize = 4096;

impl Exchange {
    pub(crate) fn new(
        route: Route,
        request: Request<()>,
        version: ProtocolVersion,
        clock: Arc<dyn Clock>,
        load: Option<Load>,
    ) -> Self {
        let outgoing = Outgoing::new(load);
        let incoming = ResponseState::Unsent(route, request);
        Self { version, clock, outgoing, incoming, guard: None }
    }

    /// Sends a piece of the body, unless it has ended.
    pub(crate) fn send(&mut self, bytes: Bytes) {
        self.outgoing.send(bytes);
    }

    /// Ends the body.
    pub(crate) fn half_close(&mut self) {
        self.outgoing.end();
    }

    /// Receives the next piece. Cancel-safe: can be dropped and called again without losing data.
    pub(crate) async fn receive(&mut self) -> Result<Received, Fault> {
        let received = self.progress().await;
        if !matches!(received, Ok(Received::Data(_))) {
            self.incoming = ResponseState::Over;
        }
        received
    }

    async fn progress(&mut self) -> Result<Received, Fault> {
        loop {
            match &mut self.incoming {
                ResponseState::Unsent(..) => self.ask()?,
                ResponseState::Connecting(connecting, _) => {
                    let slot = connecting.await?;
                    if let ResponseState::Connecting(_, request) = self.take_incoming() {
                        self.open(slot, request)?;
                    }
                }
                ResponseState::Head(head) => {
                    let (head, body) = beside(&mut self.outgoing, head.receive()).await?;
                    self.incoming = match check(&head, self.version, &*self.clock)? {
                        None => ResponseState::Body(body),
                        Some(wrong) => ResponseState::Wrong(body, wrong),
                    };
                }
                ResponseState::Body(body) => {
                    let data = beside(&mut self.outgoing, body.data()).await?;
                    return Ok(data.map_or(Received::End, Received::Data));
                }
                ResponseState::Wrong(body, wrong) => match body.data().await {
                    Ok(Some(bytes)) if wrong.body.len() < ERROR_BODY_BYTES_MAX => {
                        wrong.body.extend_from_slice(&bytes);
                    }
                    // If the body breaks off, what has been received is the explanation.
                    Ok(_) | Err(_) => return Err(wrong.fault()),
                },
                ResponseState::Over => std::future::pending().await,
            }
        }
    }

    fn take_incoming(&mut self) -> ResponseState {
        std::mem::replace(&mut self.incoming, ResponseState::Over)
    }

    fn ask(&mut self) -> Result<(), Fault> {
        let ResponseState::Unsent(route, request) = self.take_incoming() else { return Ok(()) };
        match route {
            Route::Direct(host, timeout) => match host.slot() {
                Some(slot) => self.open(slot, request)?,
                None => {
                    let uri = request.uri().clone();
                    let connecting = async move { host.connect(&uri, timeout).await };
                    self.incoming = ResponseState::Connecting(Box::pin(connecting), request);
                }
            },
            Route::Pooled(client) => {
                let body = self.outgoing.go_pooled();
                let responding = client.request(request.map(|()| body));
                self.incoming = ResponseState::Head(Head::Pooled(responding));
            }
        }
        Ok(())
    }

    fn open(&mut self, slot: StreamSlot, request: Request<()>) -> Result<(), Fault> {
        let Stream { response, sending, guard } = slot.open(request)?;
        self.outgoing.go_direct(sending);
        self.incoming = ResponseState::Head(Head::Direct(response));
        self.guard = Some(guard);
        Ok(())
    }

    /// Reads the rest of the response for up to `timeout`, so that the endpoint can end its stream
    /// cleanly.
    pub(crate) async fn drain(&mut self, timeout: std::time::Duration) {
        self.half_close();
        if let ResponseState::Body(mut body) = self.take_incoming() {
            let rest = async { while let Ok(Some(_)) = body.data().await {} };
            let _ = tokio::time::timeout(timeout, rest).await;
        }
    }
}

/// Receives while continuing to send.
async fn beside<T>(outgoing: &mut Outgoing, receiving: impl Future<Output = T>) -> T {
    let mut receiving = std::pin::pin!(receiving);
    std::future::poll_fn(|cx| {
        outgoing.poll(cx);
        receiving.as_mut().poll(cx)
    })
    .await
}

impl Head {
    async fn receive(&mut self) -> Result<(response::Parts, ResponseBody), Fault> {
        match self {
            Self::Direct(response) => {
                let response = response.await.map_err(|error| unanswered(&error))?;
                let (head, body) = response.into_parts();
                Ok((head, ResponseBody::Direct(body)))
            }
            Self::Pooled(response) => {
                let response = response.await.map_err(|error| match error.is_connect() {
                    true => unreachable(&error),
                    false => transport(&error),
                })?;
                let (head, body) = response.into_parts();
                Ok((head, ResponseBody::Pooled(body)))
            }
        }
    }
}

impl ResponseBody {
    /// The next piece; `None` at the end.
    async fn data(&mut self) -> Result<Option<Bytes>, Fault> {
        match self {
            Self::Direct(stream) => match stream.data().await {
                None => Ok(None),
                Some(Ok(bytes)) => {
                    // Reopens the window; fails if the stream has ended, which then doesn't matter.
                    let _ = stream.flow_control().release_capacity(bytes.len());
                    Ok(Some(bytes))
                }
                // The response is complete; the server doesn't need the rest of the request.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => Ok(None),
                Some(Err(error)) => Err(transport(&error)),
            },
            Self::Pooled(body) => match body.frame().await {
                None => Ok(None),
                Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
                Some(Err(error)) => Err(transport(&error)),
            },
        }
    }
}

/// Checks a response head; returns what is wrong with it, if anything.
fn check(
    head: &response::Parts,
    version: ProtocolVersion,
    clock: &dyn Clock,
) -> Result<Option<Wrong>, Fault> {
    let status = head.status;
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let expected = version.content_type();
    if status == StatusCode::OK && content_type.is_some_and(|found| found == expected) {
        return Ok(None);
    }
    let retry_after_ms = head
        .headers
        .get(header::RETRY_AFTER)
        .filter(|_| matches!(status.as_u16(), 429 | 503))
        .and_then(|value| {
            let wall = UNIX_EPOCH + Duration::from_micros(clock.wall_us());
            retry_after_ms(value.to_str().ok()?, wall)
        });
    if status == StatusCode::OK {
        let found = content_type.map_or_else(|| "none".to_owned(), |found| format!("{found:?}"));
        let message =
            format!("the endpoint responded with content type {found}, expected {expected}");
        return Err(Fault::Response { status: 200, message, retry_after_ms });
    }
    Ok(Some(Wrong { status, retry_after_ms, body: BytesMut::new() }))
}

impl Wrong {
    fn fault(&self) -> Fault {
        let meaning = match self.status.as_u16() {
            401 => "the endpoint rejected our identity",
            404 => "the endpoint does not know the service or handler",
            413 => "the journal is too large for the endpoint",
            415 => "the endpoint no longer supports this protocol version; register it again",
            429 | 503 => "the endpoint is busy",
            502 | 504 => "the endpoint's gateway gets no response from it",
            _ => "the endpoint responded with an unexpected status",
        };
        let shown = &self.body[..self.body.len().min(ERROR_BODY_BYTES_MAX)];
        let (status, text) = (self.status.as_u16(), String::from_utf8_lossy(shown));
        let message = format!("{meaning} (status {status}): {}", text.trim());
        Fault::Response { status, message, retry_after_ms: self.retry_after_ms }
    }
}

/// The delay of a `retry-after` header in milliseconds; the header has seconds or a date. How the
/// delay is used and capped is up to the Attempt state machine.
pub(crate) fn retry_after_ms(value: &str, now: SystemTime) -> Option<u64> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u64::MAX).saturating_mul(1000));
    }
    let wait = httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default();
    u64::try_from(wait.as_millis()).ok()
}

/// The fault if there was no connection to send the request on.
pub(crate) fn unreachable(error: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::Unreachable { message: causes(error) }
}

/// The fault if a stream ended before any response. By the definition of `REFUSED_STREAM` such a
/// request was not processed, and Node servers mean the same by `ENHANCE_YOUR_CALM`, when their
/// buffers are full.
pub(crate) fn unanswered(error: &h2::Error) -> Fault {
    let reason = error.reason().filter(|_| error.is_reset() && error.is_remote());
    match reason {
        Some(reason @ (Reason::REFUSED_STREAM | Reason::ENHANCE_YOUR_CALM)) => {
            let message = format!("the endpoint is overloaded and refused the stream ({reason:?})");
            Fault::Unreachable { message }
        }
        Some(_) | None => transport(error),
    }
}

/// The fault if the connection broke while the request was in flight.
fn transport(error: &(dyn std::error::Error + 'static)) -> Fault {
    Fault::Transport { message: causes(error) }
}
