//! Asking an endpoint what it offers, and whatever else is asked of it outside of an attempt.

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

use crate::{sockets::Sockets, tls::Tls};

/// An endpoint, and how it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its address, as [`address::normalise`] says it.
    pub uri: &'a str,
    /// Whether it is to be spoken to in HTTP/1.1.
    pub http1: bool,
    /// Headers to send along, which [`runtime_schema::headers::check`] has seen.
    pub headers: &'a [(String, String)],
}

/// What an endpoint said.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// What it offers.
    pub manifest: Manifest,
    /// What its SDK says it is.
    pub sdk: Option<String>,
    /// Whether it was, and is to be, spoken to in HTTP/1.1.
    pub http1: bool,
}

/// An endpoint could not be asked, or made no sense.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The address or a header makes no request.
    #[error("'{uri}' cannot be asked: {reason}; register it again without what is wrong")]
    Address {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answered.
    #[error("the endpoint {uri} cannot be reached: {reason}; is it running?")]
    Unreachable {
        /// Where.
        uri: String,
        /// What the transport said.
        reason: String,
    },
    /// There is somebody, who does not speak HTTP/2.
    #[error(
        "{uri} takes connections and does not answer in HTTP/2: {reason}; if it speaks HTTP/1.1 \
         alone, register it with \"use_http_11\": true, and if it wants TLS, as https://"
    )]
    NoHttp2 {
        /// Where.
        uri: String,
        /// What the transport said.
        reason: String,
    },
    /// It says to ask somewhere else.
    #[error("{uri} answered {status} and points to '{location}'; register that address")]
    Redirected {
        /// Where.
        uri: String,
        /// The status.
        status: u16,
        /// What it points to, as it says it.
        location: String,
    },
    /// There is somebody, whose answer never is whole.
    #[error(
        "{uri} takes connections and gives no whole answer: {reason}; see its log, and whether it is \
         an SDK's endpoint that listens there"
    )]
    Unfinished {
        /// Where.
        uri: String,
        /// What is missing.
        reason: String,
    },
    /// Its answer is larger than any that makes sense.
    #[error(
        "{uri} answers with more than the {bytes_max} bytes that are read; have it answer with less"
    )]
    TooLarge {
        /// Where.
        uri: String,
        /// How long it may be.
        bytes_max: usize,
    },
    /// It does not know about discovery.
    #[error(
        "{uri} answered 404: what listens there is no SDK's endpoint, or the address has another \
         path; register the address that the SDK says it serves"
    )]
    NotFound {
        /// Where.
        uri: String,
    },
    /// It answered with something else than success. What it said is not repeated: whoever may register
    /// addresses could read through us what only we can reach.
    #[error("{uri} answered {status}; see the log of what listens there")]
    Status {
        /// Where.
        uri: String,
        /// The status.
        status: u16,
    },
    /// Its answer is no manifest that we read.
    #[error(
        "{uri} answered with something that is no manifest: {reason}; register the address of an SDK's \
         endpoint"
    )]
    Malformed {
        /// Where.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl DiscoverError {
    /// The API's code for it.
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

/// Connections of one discovery: it asks one after the other.
const SOCKETS_MAX: usize = 4;
/// A manifest with many schemas is still far below this.
const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// Answers up to this size are read at any time.
const SMALL_BYTES_MAX: usize = 256 << 10;
/// Larger ones one at a time: what is made of one takes ten times as much and more.
static LARGE: Semaphore = Semaphore::const_new(1);
/// A payload was sent in a message.
const PAYLOAD_BYTES_MAX: usize = DEFAULT_MAX_MESSAGE_SIZE_BYTES as usize;
/// An endpoint that does not take a connection for so long is not there: less than [`TIMEOUT`], so that
/// the two can be told apart.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// All that an endpoint has for its answer, all tries together: whoever registers waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a busy or just starting endpoint is asked, as long as another try has time to connect.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);
/// How much is shown of what an endpoint says.
const SHOWN_CHARS_MAX: usize = 500;

/// The time that an endpoint has.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// For taking a connection.
    connect: Duration,
    /// For all of it.
    whole: Duration,
    /// When all of it is over.
    deadline: Instant,
}

impl Time {
    fn from_now(connect: Duration, whole: Duration) -> Self {
        Self { connect, whole, deadline: Instant::now() + whole }
    }

    /// Whether another try, after a pause, could tell that nobody takes its connection.
    fn is_enough(self) -> bool {
        Instant::now() + PAUSE + self.connect < self.deadline
    }
}

/// Asks an endpoint what it offers, a few times if it seems to be just starting. The answer is there
/// after ten seconds at the latest.
///
/// # Errors
/// When it cannot be asked, or its answer is no manifest.
pub async fn discover(tls: &Tls, asked: Asked<'_>) -> Result<Discovered, DiscoverError> {
    discover_within(tls, asked, Time::from_now(CONNECT_TIMEOUT, TIMEOUT)).await
}

async fn discover_within(
    tls: &Tls,
    asked: Asked<'_>,
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

/// Asks an endpoint to read or write a payload for people, once and for at most ten seconds.
///
/// # Errors
/// When it cannot be asked, or does not do so.
pub async fn convert(
    tls: &Tls,
    asked: Asked<'_>,
    path: &str,
    body: Bytes,
) -> Result<Bytes, DiscoverError> {
    let time = Time::from_now(CONNECT_TIMEOUT, TIMEOUT);
    let request = Sent { method: Method::POST, path, body, bytes_max: PAYLOAD_BYTES_MAX };
    let (at, answer, Answered { body, _alone }) = send(tls, asked, request, time).await?;
    match expect_ok(at, &answer) {
        // It was registered, so it is an SDK's endpoint, and does not know how.
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

async fn ask(tls: &Tls, asked: Asked<'_>, time: Time) -> Result<Discovered, DiscoverError> {
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
    // Others are served meanwhile, however long that takes.
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

/// An answer's body, and if it is a large one, the right to have it.
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

/// A request, and how large its answer may be.
struct Sent<'a> {
    method: Method,
    path: &'a str,
    body: Bytes,
    bytes_max: usize,
}

/// One request and its whole answer; where it was asked comes first.
async fn send(
    tls: &Tls,
    asked: Asked<'_>,
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
    builder.http2_only(is_http2_at_once);
    // Operators ask for few at a time.
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
        .map_err(|_| silent(true, late("no answer")))?
        .map_err(|error| silent(!error.is_connect(), causes(&error)))?;
    let (parts, body) = response.into_parts();
    let answered = timeout_at(time.deadline, read(body, bytes_max))
        .await
        .map_err(|_| unfinished(late("it does not end")))?
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

/// What an error says, with its causes. Some say their cause themselves: it is said once.
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

    /// An endpoint that says so much to each connection and nothing more: how many it has taken, and
    /// what was found out about it.
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
        let asked = Asked { uri: &uri, http1: true, headers: &[] };
        let error = discover_within(&tls, asked, time).await.unwrap_err();
        endpoint.abort();
        let connections = taken.lock().unwrap().len();
        (connections, error)
    }

    #[tokio::test]
    async fn an_endpoint_that_never_answers_has_one_bound_for_all_tries() {
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhalf";
        for (said, missing) in [(&b""[..], "no answer within 1 s"), (half, "it does not end")] {
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
        assert!(text.contains("register the address of an SDK's endpoint"), "{text}");
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
