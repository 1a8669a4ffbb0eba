//! Discovery of an endpoint's services, and other requests to an endpoint outside of attempts.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode, header, response::Parts};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use protocol::{
    discovery::{self, Manifest},
    surface,
    wire::frame::DEFAULT_MAX_MESSAGE_SIZE_BYTES,
};
use runtime_schema::address;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep, timeout_at},
};

use crate::{connector::HTTP1_BUFFER_BYTES_MAX, sockets::Sockets, tls::Tls};

/// An endpoint to send requests to.
#[derive(Debug, Clone, Copy)]
pub struct EndpointProbe<'a> {
    /// Its address, normalised by [`address::normalise`].
    pub uri: &'a str,
    /// Whether to use HTTP/1.1.
    pub http1: bool,
    /// Headers to send along, already validated by [`runtime_schema::headers::check`].
    pub headers: &'a [(String, String)],
}

/// The result of discovery.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// The endpoint's manifest.
    pub manifest: Manifest,
    /// Name and version of its SDK, if it reported them.
    pub sdk: Option<String>,
    /// Whether HTTP/1.1 was used, and is to be used from now on.
    pub http1: bool,
}

/// Discovery, or another request to an endpoint, failed.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The address or a header does not form a valid request.
    #[error("no request can be sent to '{uri}': {reason}; correct this and register it again")]
    Address {
        /// The address of the request.
        uri: String,
        /// The error message of the HTTP library.
        reason: String,
    },
    /// No connection could be made.
    #[error("the endpoint {uri} cannot be reached: {reason}; is it running?")]
    Unreachable {
        /// The address of the request.
        uri: String,
        /// The transport's error message.
        reason: String,
    },
    /// Connections are accepted, but the server does not speak HTTP/2.
    #[error(
        "{uri} accepts connections but does not respond over HTTP/2: {reason}; if it supports only \
         HTTP/1.1, register it with \"use_http_11\": true; if it requires TLS, register it as https://"
    )]
    NoHttp2 {
        /// The address of the request.
        uri: String,
        /// The transport's error message.
        reason: String,
    },
    /// The server redirects elsewhere.
    #[error("{uri} responded with {status} and redirects to '{location}'; register that address")]
    Redirected {
        /// The address of the request.
        uri: String,
        /// The status of the response.
        status: u16,
        /// The value of its `location` header.
        location: String,
    },
    /// Connections are accepted, but no complete response arrives.
    #[error(
        "{uri} accepts connections but does not send a complete response: {reason}; check its log, and whether it is \
         an SDK endpoint that listens there"
    )]
    Unfinished {
        /// The address of the request.
        uri: String,
        /// What is missing.
        reason: String,
    },
    /// The response exceeds the size limit.
    #[error(
        "{uri} responded with more than the limit of {bytes_max} bytes; make its response smaller"
    )]
    TooLarge {
        /// The address of the request.
        uri: String,
        /// Maximum size of the body.
        bytes_max: usize,
    },
    /// The server does not know the path for discovery.
    #[error(
        "{uri} responded with 404: what listens there is not an SDK endpoint, or the endpoint has a different \
         path; register the address that the SDK reports to serve"
    )]
    NotFound {
        /// The address of the request.
        uri: String,
    },
    /// Any other unsuccessful response. Its body is not included in the error: otherwise, a user
    /// who may register addresses could read through us what only we can reach.
    #[error("{uri} responded with {status}; check the log of the process that listens there")]
    Status {
        /// The address of the request.
        uri: String,
        /// The status of the response.
        status: u16,
    },
    /// The response is not a manifest that we can read.
    #[error(
        "{uri} responded with something that is not a manifest: {reason}; register the address of an SDK \
         endpoint"
    )]
    Malformed {
        /// The address of the request.
        uri: String,
        /// What is wrong with the response.
        reason: String,
    },
}

impl DiscoverError {
    /// The API's error code.
    pub fn restate_code(&self) -> &'static str {
        match self {
            Self::Address { .. }
            | Self::Unreachable { .. }
            | Self::Unfinished { .. }
            | Self::Redirected { .. }
            | Self::NotFound { .. }
            | Self::Status { .. } => "META0003",
            Self::TooLarge { .. } | Self::Malformed { .. } => "META0013",
            Self::NoHttp2 { .. } => "META0014",
        }
    }
}

/// Connections per discovery; it makes its requests one after the other.
const SOCKETS_MAX: usize = 4;
/// Maximum size of a manifest; even one with many schemas is far smaller.
const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// Responses up to this size are read without a permit.
const SMALL_BYTES_MAX: usize = 256 << 10;
/// Larger responses are read one at a time: parsing one takes ten times its size or more.
static LARGE: Semaphore = Semaphore::const_new(1);
/// Payloads are limited to what fits into a protocol message.
const PAYLOAD_BYTES_MAX: usize = DEFAULT_MAX_MESSAGE_SIZE_BYTES as usize;
/// How long an endpoint may take to accept a connection. Shorter than [`TIMEOUT`], so that the two
/// failures can be told apart.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Total time for all attempts of a request: the user registering the endpoint waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of attempts if the endpoint is busy or just starting, given time for another
/// connect.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);
/// Maximum length of an endpoint's text in an error message, in characters.
const SHOWN_CHARS_MAX: usize = 500;

/// Time limits of a request.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// For a single connect.
    connect: Duration,
    /// For all attempts together.
    whole: Duration,
    /// When `whole` is over.
    deadline: Instant,
}

impl Time {
    fn from_now(connect: Duration, whole: Duration) -> Self {
        Self { connect, whole, deadline: Instant::now() + whole }
    }

    /// Whether there is time for a pause and another connect timeout.
    fn is_enough(self) -> bool {
        Instant::now() + PAUSE + self.connect < self.deadline
    }
}

/// Requests an endpoint's manifest, retrying a few times if the endpoint seems to be starting up.
/// Takes ten seconds at most.
///
/// # Errors
/// Returns an error if the request fails, or the response is not a manifest.
pub async fn discover(tls: &Tls, asked: EndpointProbe<'_>) -> Result<Discovered, DiscoverError> {
    discover_within(tls, asked, Time::from_now(CONNECT_TIMEOUT, TIMEOUT)).await
}

async fn discover_within(
    tls: &Tls,
    asked: EndpointProbe<'_>,
    time: Time,
) -> Result<Discovered, DiscoverError> {
    let mut tries = 1;
    loop {
        match ask(tls, asked, time).await {
            Err(error) if tries < TRIES && is_passing(&error) && time.is_enough() => tries += 1,
            outcome => return outcome,
        }
        sleep(PAUSE).await;
    }
}

/// Has an endpoint encode or decode a payload for display; a single attempt of ten seconds at most.
///
/// # Errors
/// Returns an error if the request fails or is not successful.
pub async fn convert(
    tls: &Tls,
    asked: EndpointProbe<'_>,
    path: &str,
    body: Bytes,
) -> Result<Bytes, DiscoverError> {
    let time = Time::from_now(CONNECT_TIMEOUT, TIMEOUT);
    let request = Sent { method: Method::POST, path, body, bytes_max: PAYLOAD_BYTES_MAX };
    let (at, answer, Answered { body, _alone }) = send(tls, asked, request, time).await?;
    match expect_ok(at, &answer) {
        // Since it is registered, it is an SDK's endpoint, but one that does not support this.
        Err(DiscoverError::NotFound { uri }) => Err(DiscoverError::Status { uri, status: 404 }),
        checked => checked.map(|()| body),
    }
}

fn is_passing(error: &DiscoverError) -> bool {
    match error {
        DiscoverError::Unreachable { .. }
        | DiscoverError::NoHttp2 { .. }
        | DiscoverError::Unfinished { .. } => true,
        DiscoverError::Status { status, .. } => {
            matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
        }
        DiscoverError::Address { .. }
        | DiscoverError::Redirected { .. }
        | DiscoverError::NotFound { .. }
        | DiscoverError::TooLarge { .. }
        | DiscoverError::Malformed { .. } => false,
    }
}

async fn ask(tls: &Tls, asked: EndpointProbe<'_>, time: Time) -> Result<Discovered, DiscoverError> {
    let body = Bytes::new();
    let path = &format!("/{}", surface::path::DISCOVER);
    let request = Sent { method: Method::GET, path, body, bytes_max: MANIFEST_BYTES_MAX };
    let (at, answer, Answered { body, _alone }) = send(tls, asked, request, time).await?;
    expect_ok(at.clone(), &answer)?;
    let malformed = |reason: String| DiscoverError::Malformed { uri: at.clone(), reason };
    let content_type = text_of(&answer, header::CONTENT_TYPE.as_str());
    if discovery::version_of(content_type).is_none() {
        let content_type = shown_start(content_type);
        return Err(malformed(format!("its content type is '{content_type}'")));
    }
    // Parsing may take long, so it must not block the runtime's threads.
    let read = tokio::task::spawn_blocking(move || read_manifest(&body)).await;
    let read = read.unwrap_or_else(|error| Err(error.to_string()));
    let manifest = read.map_err(|reason| malformed(shown_start(&reason)))?;
    let sdk = answer.headers.get(surface::header::SERVER).and_then(|value| value.to_str().ok());
    let http1 = asked.http1 || answer.version < http::Version::HTTP_2;
    Ok(Discovered { manifest, sdk: sdk.map(str::to_owned), http1 })
}

fn read_manifest(body: &[u8]) -> Result<Manifest, String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader);
    let manifest: Manifest = read.map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(manifest)
}

/// The body of a response, along with the permit it needs if it is large.
struct Answered {
    body: Bytes,
    _alone: Option<SemaphorePermit<'static>>,
}

/// Why a body was not read.
enum Unread {
    TooLarge,
    Broken(String),
}

async fn read(body: Incoming, bytes_max: usize) -> Result<Answered, Unread> {
    let mut body = std::pin::pin!(body);
    let (mut joined, mut alone) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Unread::Broken(causes(&error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if joined.len() + data.len() > bytes_max {
            return Err(Unread::TooLarge);
        }
        if joined.len() + data.len() > SMALL_BYTES_MAX && alone.is_none() {
            let permit = LARGE.acquire().await;
            alone = Some(permit.map_err(|error| Unread::Broken(error.to_string()))?);
        }
        joined.extend_from_slice(&data);
    }
    Ok(Answered { body: joined.freeze(), _alone: alone })
}

/// A request to an endpoint, and the maximum size of its response.
struct Sent<'a> {
    method: Method,
    path: &'a str,
    body: Bytes,
    bytes_max: usize,
}

/// Sends a request and reads the whole response; also returns the URL requested.
async fn send(
    tls: &Tls,
    asked: EndpointProbe<'_>,
    Sent { method, path, body, bytes_max }: Sent<'_>,
    time: Time,
) -> Result<(String, Parts, Answered), DiscoverError> {
    let at = address::at(asked.uri, path);
    let mut request = Request::builder().method(method).uri(&at);
    request = request.header(header::ACCEPT, discovery::ACCEPT);
    for (name, value) in asked.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Full::new(body))
        .map_err(|error| DiscoverError::Address { uri: at.clone(), reason: error.to_string() })?;
    let is_tls = request.uri().scheme_str() == Some("https");
    let is_http2_at_once = !asked.http1 && !is_tls;
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(is_http2_at_once).http1_max_buf_size(HTTP1_BUFFER_BYTES_MAX);
    // Operators make few such requests at a time, so each one has sockets of its own.
    let sockets = Sockets::new(SOCKETS_MAX);
    let client = builder.build(tls.connector(asked.http1, time.connect, &sockets));
    let unfinished = |reason: String| DiscoverError::Unfinished { uri: at.clone(), reason };
    let silent = |is_there: bool, reason: String| match (is_there, is_http2_at_once) {
        (true, true) => DiscoverError::NoHttp2 { uri: at.clone(), reason },
        (true, false) => unfinished(reason),
        (false, _) => DiscoverError::Unreachable { uri: at.clone(), reason },
    };
    let late = |what: &str| format!("{what} within {} s", time.whole.as_secs());
    let response = timeout_at(time.deadline, client.request(request))
        .await
        .map_err(|_| silent(true, late("no response")))?
        .map_err(|error| silent(!error.is_connect(), causes(&error)))?;
    let (parts, body) = response.into_parts();
    let answered = timeout_at(time.deadline, read(body, bytes_max))
        .await
        .map_err(|_| unfinished(late("the response did not end")))?
        .map_err(|unread| match unread {
            Unread::TooLarge => DiscoverError::TooLarge { uri: at.clone(), bytes_max },
            Unread::Broken(reason) => unfinished(reason),
        })?;
    Ok((at, parts, answered))
}

fn expect_ok(uri: String, answer: &Parts) -> Result<(), DiscoverError> {
    match answer.status {
        StatusCode::OK => Ok(()),
        StatusCode::NOT_FOUND => Err(DiscoverError::NotFound { uri }),
        status if status.is_redirection() && answer.headers.contains_key(header::LOCATION) => {
            let location = shown_start(text_of(answer, header::LOCATION.as_str()));
            Err(DiscoverError::Redirected { uri, status: status.as_u16(), location })
        }
        status => Err(DiscoverError::Status { uri, status: status.as_u16() }),
    }
}

fn text_of<'a>(answer: &'a Parts, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn shown_start(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

/// An error's message, followed by its causes. A cause that the message already ends with is not
/// repeated.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text = text + ": " + &said;
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// An endpoint that sends only `said` on each connection. Returns how many connections it
    /// accepted, and the error.
    async fn asked_of_one_that_says(said: &'static [u8], time: Time) -> (usize, DiscoverError) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let taking = Arc::clone(&taken);
        let endpoint = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                stream.write_all(said).await.unwrap();
                taking.lock().unwrap().push(stream);
            }
        });
        let tls = Tls::new(None, None).unwrap();
        let asked = EndpointProbe { uri: &uri, http1: true, headers: &[] };
        let error = discover_within(&tls, asked, time).await.unwrap_err();
        endpoint.abort();
        let connections = taken.lock().unwrap().len();
        (connections, error)
    }

    #[tokio::test]
    async fn an_endpoint_that_never_answers_has_one_bound_for_all_tries() {
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhalf";
        for (said, missing) in
            [(&b""[..], "no response within 1 s"), (half, "the response did not end")]
        {
            let time = Time::from_now(Duration::from_millis(500), Duration::from_secs(1));
            let (connections, error) = asked_of_one_that_says(said, time).await;
            assert!(error.to_string().contains(missing), "{error}");
            assert!(matches!(error, DiscoverError::Unfinished { .. }), "{error}");
            assert_eq!(connections, 1, "{error}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_fails_fast_is_asked_again() {
        let busy = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let time = Time::from_now(CONNECT_TIMEOUT, TIMEOUT);
        let (connections, error) = asked_of_one_that_says(busy, time).await;
        assert!(matches!(error, DiscoverError::Status { status: 503, .. }), "{error}");
        assert_eq!(connections, 3);
    }

    #[tokio::test]
    async fn what_a_manifest_has_wrong_is_named_by_its_place() {
        let manifest = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 95\r\n\
            content-type: application/vnd.restate.endpointmanifest.v4+json\r\n\r\n\
            {\"minProtocolVersion\":5,\"maxProtocolVersion\":7,\"services\":[{\"name\":\"S\",\"handlers\":7,\"ty\":\"X\"}]}";
        let time = Time::from_now(CONNECT_TIMEOUT, TIMEOUT);
        let (_, error) = asked_of_one_that_says(manifest.as_bytes(), time).await;
        let text = error.to_string();
        assert!(text.contains("services[0].handlers: invalid type: integer `7`"), "{text}");
        assert!(text.contains("register the address of an SDK endpoint"), "{text}");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("it broke: {0}")]
    struct SaysItsCause(#[source] std::io::Error);

    #[test]
    fn a_cause_that_an_error_says_itself_is_said_once() {
        let error = SaysItsCause(std::io::Error::other("the disk"));
        assert_eq!(causes(&error), "it broke: the disk");
    }
}
