//! Asking an endpoint what it offers, and whatever else is asked of it outside of an attempt.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header, response::Parts};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use protocol::{
    discovery::{self, Manifest},
    wire::frame::DEFAULT_MAX_MESSAGE_SIZE_BYTES,
};
use runtime_schema::address;

use crate::tls::Tls;

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
    #[error("'{uri}' cannot be asked: {reason}")]
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
    /// It does not know about discovery.
    #[error("{uri} answered 404: it is not an SDK's endpoint, or the path is wrong")]
    NotFound {
        /// Where.
        uri: String,
    },
    /// It answered with something else than success. What it said is not repeated: whoever may register
    /// addresses could read through us what only we can reach.
    #[error("{uri} answered {status}; what listens there knows why")]
    Status {
        /// Where.
        uri: String,
        /// The status.
        status: u16,
    },
    /// Its answer is no manifest that we read.
    #[error("{uri} answered with something that is no manifest: {reason}")]
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
            | Self::Redirected { .. }
            | Self::NotFound { .. }
            | Self::Status { .. } => "META0003",
            Self::Malformed { .. } => "META0013",
            Self::NoHttp2 { .. } => "META0014",
        }
    }
}

/// A manifest with many schemas is still far below this.
const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// A payload was sent in a message.
const PAYLOAD_BYTES_MAX: usize = DEFAULT_MAX_MESSAGE_SIZE_BYTES as usize;
/// An endpoint that does not take a connection for so long is not there: less than [`TIMEOUT`], so that
/// the two can be told apart.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An endpoint that takes longer for its answer is not there.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a busy or just starting endpoint is asked.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);
/// How much is shown of where an endpoint points to.
const SHOWN_CHARS_MAX: usize = 500;

/// Asks an endpoint what it offers, a few times if it seems to be just starting.
///
/// # Errors
/// When it cannot be asked, or its answer is no manifest.
pub async fn discover(tls: &Tls, asked: Asked<'_>) -> Result<Discovered, DiscoverError> {
    let mut tries = 1;
    loop {
        match ask(tls, asked).await {
            Err(error) if tries < TRIES && is_passing(&error) => tries += 1,
            outcome => return outcome,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks an endpoint to read or write a payload for people: `operation` is `encode` or `decode`.
///
/// # Errors
/// When it cannot be asked, or does not do so.
pub async fn convert(
    tls: &Tls,
    asked: Asked<'_>,
    path: &str,
    body: Bytes,
) -> Result<Bytes, DiscoverError> {
    let (at, answer, body) = send(tls, asked, Method::POST, path, body, PAYLOAD_BYTES_MAX).await?;
    expect_ok(at, &answer)?;
    Ok(body)
}

fn is_passing(error: &DiscoverError) -> bool {
    match error {
        DiscoverError::Unreachable { .. } | DiscoverError::NoHttp2 { .. } => true,
        DiscoverError::Status { status, .. } => {
            matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
        }
        DiscoverError::Address { .. }
        | DiscoverError::Redirected { .. }
        | DiscoverError::NotFound { .. }
        | DiscoverError::Malformed { .. } => false,
    }
}

async fn ask(tls: &Tls, asked: Asked<'_>) -> Result<Discovered, DiscoverError> {
    let nothing = Bytes::new();
    let (at, answer, body) =
        send(tls, asked, Method::GET, "/discover", nothing, MANIFEST_BYTES_MAX).await?;
    expect_ok(at.clone(), &answer)?;
    let malformed = |reason: String| DiscoverError::Malformed { uri: at, reason };
    let content_type = text_of(&answer, header::CONTENT_TYPE.as_str());
    if discovery::version_of(content_type).is_none() {
        return Err(malformed(format!("its content type is '{content_type}'")));
    }
    let manifest: Manifest =
        serde_json::from_slice(&body).map_err(|error| malformed(error.to_string()))?;
    let sdk = answer.headers.get("x-restate-server").and_then(|value| value.to_str().ok());
    let http1 = asked.http1 || answer.version < http::Version::HTTP_2;
    Ok(Discovered { manifest, sdk: sdk.map(str::to_owned), http1 })
}

/// One request and its whole answer; where it was asked comes first.
async fn send(
    tls: &Tls,
    asked: Asked<'_>,
    method: Method,
    path: &str,
    body: Bytes,
    bytes_max: usize,
) -> Result<(String, Parts, Bytes), DiscoverError> {
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
    let client = builder.build(tls.connector(asked.http1, CONNECT_TIMEOUT));
    let silent = |is_there: bool, reason: String| {
        let uri = at.clone();
        if is_there && is_http2_at_once {
            DiscoverError::NoHttp2 { uri, reason }
        } else {
            DiscoverError::Unreachable { uri, reason }
        }
    };
    let response = tokio::time::timeout(TIMEOUT, client.request(request))
        .await
        .map_err(|_| silent(true, format!("no answer within {} s", TIMEOUT.as_secs())))?
        .map_err(|error| silent(!error.is_connect(), causes(&error)))?;
    let (parts, body) = response.into_parts();
    let malformed = |reason: String| DiscoverError::Malformed { uri: at.clone(), reason };
    let body = tokio::time::timeout(TIMEOUT, Limited::new(body, bytes_max).collect())
        .await
        .map_err(|_| silent(false, "the answer does not end".to_owned()))?
        .map_err(|error| malformed(error.to_string()))?
        .to_bytes();
    Ok((at, parts, body))
}

fn expect_ok(uri: String, answer: &Parts) -> Result<(), DiscoverError> {
    match answer.status {
        StatusCode::OK => Ok(()),
        StatusCode::NOT_FOUND => Err(DiscoverError::NotFound { uri }),
        status if status.is_redirection() && answer.headers.contains_key(header::LOCATION) => {
            let location = text_of(answer, header::LOCATION.as_str());
            let location = location.chars().take(SHOWN_CHARS_MAX).collect();
            Err(DiscoverError::Redirected { uri, status: status.as_u16(), location })
        }
        status => Err(DiscoverError::Status { uri, status: status.as_u16() }),
    }
}

fn text_of<'a>(answer: &'a Parts, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What an error says, with its causes.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
