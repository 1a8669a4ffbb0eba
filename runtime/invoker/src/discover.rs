//! Asking an endpoint what it offers.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use protocol::discovery::{self, Manifest};

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
    /// The address makes no request.
    #[error("'{uri}' is not an address: {reason}")]
    Address {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header that is to be sent cannot be.
    #[error(
        "header '{0}' cannot be sent: its name or value is no header's, or it is one that belongs to \
         the connection, which is the runtime's own"
    )]
    Header(String),
    /// Nobody answered.
    #[error(
        "the endpoint {uri} cannot be reached: {reason}; is it running, and does it speak HTTP/2 \
         with prior knowledge? Register it with \"use_http_11\": true if not"
    )]
    Unreachable {
        /// Where.
        uri: String,
        /// What the transport said.
        reason: String,
    },
    /// It does not know about discovery.
    #[error("{uri} answered 404: it is not an SDK's endpoint, or the path is wrong")]
    NotFound {
        /// Where.
        uri: String,
    },
    /// It answered with something else than success.
    #[error("{uri} answered {status}: {body}")]
    Status {
        /// Where.
        uri: String,
        /// The status.
        status: u16,
        /// The start of what it said.
        body: String,
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
            | Self::Header(_)
            | Self::Unreachable { .. }
            | Self::NotFound { .. }
            | Self::Status { .. } => "META0003",
            Self::Malformed { .. } => "META0013",
        }
    }
}

/// Headers that speak of a connection and not of a request; HTTP/2 has none.
const OF_THE_CONNECTION: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
/// A manifest with many schemas is still far below this.
const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// An endpoint that takes longer is not there.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a busy or just starting endpoint is asked.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// Asks the endpoint at `uri`, a few times if it seems to be just starting.
///
/// # Errors
/// When it cannot be asked, or its answer is no manifest.
pub async fn discover(
    uri: &str,
    http1: bool,
    headers: &[(String, String)],
) -> Result<Discovered, DiscoverError> {
    let mut tries = 1;
    loop {
        match ask(uri, http1, headers).await {
            Err(error) if tries < TRIES && is_passing(&error) => tries += 1,
            outcome => return outcome,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_passing(error: &DiscoverError) -> bool {
    match error {
        DiscoverError::Unreachable { .. } => true,
        DiscoverError::Status { status, .. } => {
            matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
        }
        DiscoverError::Address { .. }
        | DiscoverError::Header(_)
        | DiscoverError::NotFound { .. }
        | DiscoverError::Malformed { .. } => false,
    }
}

async fn ask(
    uri: &str,
    http1: bool,
    headers: &[(String, String)],
) -> Result<Discovered, DiscoverError> {
    let at = format!("{uri}/discover");
    let mut request = Request::get(&at).header(header::ACCEPT, discovery::ACCEPT);
    for (name, value) in headers {
        let unsendable = || DiscoverError::Header(name.clone());
        let header_name: HeaderName = name.parse().map_err(|_| unsendable())?;
        if OF_THE_CONNECTION.contains(&header_name.as_str()) {
            return Err(unsendable());
        }
        let value = HeaderValue::from_str(value).map_err(|_| unsendable())?;
        request = request.header(header_name, value);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| DiscoverError::Address { uri: at.clone(), reason: error.to_string() })?;
    let is_tls = request.uri().scheme_str() == Some("https");
    let tls = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http();
    let connector =
        if http1 { tls.enable_http1().build() } else { tls.enable_all_versions().build() };
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(!http1 && !is_tls);
    let client = builder.build(connector);
    let unreachable = |reason: String| DiscoverError::Unreachable { uri: at.clone(), reason };
    let response = tokio::time::timeout(TIMEOUT, client.request(request))
        .await
        .map_err(|_| unreachable(format!("no answer within {} s", TIMEOUT.as_secs())))?
        .map_err(|error| unreachable(causes(&error)))?;
    let (parts, body) = response.into_parts();
    let reading = Limited::new(body, MANIFEST_BYTES_MAX).collect();
    let malformed = |reason: String| DiscoverError::Malformed { uri: at.clone(), reason };
    let body = tokio::time::timeout(TIMEOUT, reading)
        .await
        .map_err(|_| unreachable("the answer does not end".to_owned()))?
        .map_err(|error| malformed(error.to_string()))?
        .to_bytes();
    match parts.status {
        StatusCode::OK => (),
        StatusCode::NOT_FOUND => return Err(DiscoverError::NotFound { uri: at }),
        status => {
            let body = String::from_utf8_lossy(&body).chars().take(500).collect();
            return Err(DiscoverError::Status { uri: at, status: status.as_u16(), body });
        }
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if discovery::version_of(content_type).is_none() {
        return Err(malformed(format!("its content type is '{content_type}'")));
    }
    let manifest: Manifest =
        serde_json::from_slice(&body).map_err(|error| malformed(error.to_string()))?;
    let sdk = parts.headers.get("x-restate-server").and_then(|value| value.to_str().ok());
    let http1 = http1 || parts.version < http::Version::HTTP_2;
    Ok(Discovered { manifest, sdk: sdk.map(str::to_owned), http1 })
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
