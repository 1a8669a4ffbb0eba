//! Requests to the admin API.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header, uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long a connection may take. A host that swallows packets would keep the user waiting for
/// minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of a refusal is read. A server of something else may answer with anything.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// How much of a refusal without a message is shown.
const REFUSAL_CHARS_SHOWN: usize = 300;

const JSON: &str = "application/json";

/// The trailers of a query that fails after its first rows.
const CODE_TRAILER: &str = "abide-query-code";
const MESSAGE_TRAILER: &str = "abide-query-message";

/// Where the admin API is: a URL, whose path goes before those of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminUrl(Uri);

/// A text that is not the URL of an admin API.
#[derive(Debug, thiserror::Error)]
#[error("{0}, such as {default}", default = AdminUrl::DEFAULT)]
pub(crate) struct BadUrl(&'static str);

impl AdminUrl {
    const DEFAULT: &str = "http://127.0.0.1:9070";

    fn is_https(&self) -> bool {
        self.0.scheme() == Some(&uri::Scheme::HTTPS)
    }

    /// The URL of a path of the API.
    fn at(&self, path: &str) -> Result<Uri, http::Error> {
        let path = format!("{}{path}", self.0.path().trim_end_matches('/'));
        let parts = self.0.clone().into_parts();
        let [scheme, authority] =
            [parts.scheme.map(|it| it.to_string()), parts.authority.map(|it| it.to_string())];
        Uri::builder()
            .scheme(scheme.unwrap_or_default().as_str())
            .authority(authority.unwrap_or_default())
            .path_and_query(path)
            .build()
    }
}

impl Default for AdminUrl {
    fn default() -> Self {
        Self(Uri::from_static(Self::DEFAULT))
    }
}

impl FromStr for AdminUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        // An empty variable is an absent one.
        if text.is_empty() {
            return Ok(Self::default());
        }
        let url: Uri = text.parse().map_err(|_| BadUrl("expected a URL"))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(BadUrl("expected a URL that begins with http:// or https://"));
        }
        let authority = url.authority().map_or("", uri::Authority::as_str);
        if authority.contains('@') {
            return Err(BadUrl("a user and a password are not supported: expected a URL without"));
        }
        if url.query().is_some() {
            return Err(BadUrl("expected a URL without a query"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for AdminUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.to_string().trim_end_matches('/'))
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No server answered.
    #[error(
        "cannot reach the admin API at {url}: {cause}; is `abide serve` running? --admin says where"
    )]
    Unreachable {
        /// Where it was looked for.
        url: AdminUrl,
        /// What the system, TLS or HTTP said.
        cause: String,
    },
    /// Something answered that is not an admin API.
    #[error("{url} is not an admin API: {why}; --admin says where to find it")]
    NotAdmin {
        /// What was asked.
        url: AdminUrl,
        /// What it did.
        why: String,
    },
    /// The server refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The query failed when some of its rows had already been sent.
    #[error("the query failed after its first rows: {0}")]
    Failed(Refusal),
    /// The answer ended early, and nobody said why.
    #[error(
        "the server broke off its answer ({0}): perhaps the query failed after its first rows, or \
         the server has stopped; the server's log says more"
    )]
    BrokenOff(String),
}

impl ClientError {
    /// Whether there is no admin API where it was looked for.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotAdmin { .. })
    }
}

/// What a server says that refuses.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status of the response.
    pub(crate) status: StatusCode,
    /// What is wrong, in words.
    pub(crate) message: String,
    code: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(formatter, "{} [{code}]", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

impl Refusal {
    /// Reads it from a response: JSON with a message, or any text.
    fn of(status: StatusCode, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            message: String,
            #[serde(default)]
            code: Value,
            #[serde(default)]
            restate_code: Value,
        }
        if let Ok(Body { message, code, restate_code }) = serde_json::from_slice(body) {
            // Some servers repeat the status as the code: a number.
            let code = code.as_str().or_else(|| restate_code.as_str());
            return Self { status, message, code: code.map(str::to_owned) };
        }
        let text = String::from_utf8_lossy(body);
        let text: String = text.trim().chars().take(REFUSAL_CHARS_SHOWN).collect();
        let colon = if text.is_empty() { "" } else { ": " };
        let message = format!("the server answered {status}{colon}{text}");
        Self { status, message, code: None }
    }

    /// Reads it from what follows an answer that has begun; `None` if nothing is wrong.
    pub(crate) fn of_trailers(status: StatusCode, trailers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| {
            trailers.get(name).map(|it| String::from_utf8_lossy(it.as_bytes()).into_owned())
        };
        let code = text(CODE_TRAILER)?;
        let message = text(MESSAGE_TRAILER).unwrap_or_else(|| "the server does not say why".into());
        Some(Self { status, message, code: Some(code) })
    }
}

/// A client of one admin API.
#[derive(Debug)]
pub(crate) struct Client {
    url: AdminUrl,
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    pub(crate) fn new(url: AdminUrl) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let roots = if url.is_https() { authorities() } else { RootCertStore::empty() };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(roots))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        // Each request has a connection of its own, so that dropping an answer ends the query.
        let http =
            HttpClient::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { url, http }
    }

    pub(crate) fn url(&self) -> &AdminUrl {
        &self.url
    }

    /// Posts JSON, and returns the answer once it begins.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        accept: &'static str,
    ) -> Result<Response<Incoming>, ClientError> {
        let unreachable = |error: &dyn StdError| ClientError::Unreachable {
            url: self.url.clone(),
            cause: with_advice(root_cause(error)),
        };
        let body = serde_json::to_vec(body).map_err(|error| unreachable(&error))?;
        let url = self.url.at(path).map_err(|error| unreachable(&error))?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, JSON)
            .header(header::ACCEPT, accept)
            // So that an answer that has begun can still say why it ends.
            .header(header::TE, "trailers")
            .header(header::CONNECTION, "te")
            .body(Full::from(body))
            .map_err(|error| unreachable(&error))?;
        let response = self.http.request(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = Limited::new(response.into_body(), REFUSAL_BYTES_MAX).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Err(ClientError::Refused(Refusal::of(status, &body)))
    }
}

fn tls(roots: RootCertStore) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
    #[expect(clippy::expect_used, reason = "ring has cipher suites for the default versions")]
    let builder = builder.with_safe_default_protocol_versions().expect("no TLS version");
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// The authorities that this machine trusts, or those of `SSL_CERT_FILE`. Without any, no
/// certificate is valid, and the connection says so.
fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The innermost error, which says what happened; the outer ones say which library noticed.
pub(crate) fn root_cause(error: &dyn StdError) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

/// The cause of a failed connection, with what helps where the words of TLS do not say it.
fn with_advice(cause: String) -> String {
    // As webpki calls a certificate that may sign others and is presented as a server's own.
    let is_authority = cause.contains("CaUsedAsEndEntity");
    let advice = if is_authority {
        "; its certificate is one of an authority, perhaps because it has signed itself. Give the \
         server a certificate that is signed by an authority, and name that in SSL_CERT_FILE"
    } else if cause.contains("UnknownIssuer") {
        "; SSL_CERT_FILE has to name the authority that has signed its certificate"
    } else {
        ""
    };
    cause + advice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_are_not_trusted_come_with_advice() {
        for cause in ["CaUsedAsEndEntity", "UnknownIssuer"] {
            let said = with_advice(format!("invalid peer certificate: {cause}"));
            assert!(said.contains("SSL_CERT_FILE"), "{said}");
        }
        assert_eq!(with_advice("connection refused".to_owned()), "connection refused");
    }

    #[test]
    fn the_path_of_the_url_goes_before_those_of_the_api() {
        let at = |url: &str| url.parse::<AdminUrl>().unwrap().at("/query").unwrap().to_string();
        assert_eq!(at("http://127.0.0.1:9070"), "http://127.0.0.1:9070/query");
        assert_eq!(at("http://127.0.0.1:9070/"), "http://127.0.0.1:9070/query");
        assert_eq!(at("https://example.com/abide/admin/"), "https://example.com/abide/admin/query");
        assert_eq!(at("http://[::1]:9070/a"), "http://[::1]:9070/a/query");
        assert_eq!(at(""), "http://127.0.0.1:9070/query");
    }

    #[test]
    fn other_texts_are_refused_with_an_example() {
        for (bad, says) in [
            ("127.0.0.1:9070", "begins with http:// or https://"),
            ("ftp://a", "begins with http:// or https://"),
            ("http://", "expected a URL"),
            ("http://ann:secret@a", "are not supported"),
            ("http://a/?b", "without a query"),
        ] {
            let said = bad.parse::<AdminUrl>().unwrap_err().to_string();
            assert!(said.contains(says), "{bad}: {said}");
            assert!(said.ends_with("such as http://127.0.0.1:9070"), "{bad}: {said}");
        }
    }

    #[test]
    fn refusals_show_their_message_and_their_code() {
        let said = |body: &str| Refusal::of(StatusCode::BAD_GATEWAY, body.as_bytes()).to_string();
        assert_eq!(said(r#"{"message":"no","restate_code":null}"#), "no");
        assert_eq!(said(r#"{"message":"no","code":"42P01"}"#), "no [42P01]");
        assert_eq!(said(r#"{"message":"no","restate_code":"META0001"}"#), "no [META0001]");
        assert_eq!(said(r#"{"message":"no","code":404}"#), "no");
        assert_eq!(said("<html>"), "the server answered 502 Bad Gateway: <html>");
        assert_eq!(said(""), "the server answered 502 Bad Gateway");
    }
}
