//! Requests to the admin API.

mod refusal;
#[cfg(test)]
pub(crate) mod served;
mod tls;
mod url;

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::RootCertStore;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub(crate) use self::{
    refusal::Refusal,
    url::{AdminUrl, segment},
};

/// How long a connection may take. A host that swallows packets would keep the user waiting for
/// minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of a refusal is read. A server of something else may answer with anything.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// How much of an answer that is read as a whole: more than a server may have registered.
const ANSWER_BYTES_MAX: usize = 256 << 20;

const JSON: &str = "application/json";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

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
    /// The same of an answer to something else than a query.
    #[error("the server broke off its answer ({0}); its log may say why")]
    Unfinished(String),
}

impl ClientError {
    /// Whether there is no admin API where it was looked for.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NotAdmin { .. })
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
        let roots = if url.is_https() { tls::authorities() } else { RootCertStore::empty() };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::tls(roots))
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

    /// Gets a resource.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let response = self.send(Method::GET, path, None::<&()>, JSON).await?;
        self.whole(response).await
    }

    /// Posts JSON, and returns what is answered as a whole, with its status.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(StatusCode, T), ClientError> {
        let response = self.send(Method::POST, path, Some(body), JSON).await?;
        let status = response.status();
        Ok((status, self.whole(response).await?))
    }

    /// Posts JSON with an idempotency key, if there is one: what is done for one key, is done once.
    pub(crate) async fn post_keyed<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: Option<&'static str>,
    ) -> Result<T, ClientError> {
        let keyed = key.map(|key| (IDEMPOTENCY_KEY, key));
        let response = self.send_with(Method::POST, path, Some(body), JSON, keyed).await?;
        self.whole(response).await
    }

    /// Changes a resource with JSON, and returns what is answered.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let response = self.send(Method::PATCH, path, Some(body), JSON).await?;
        self.whole(response).await
    }

    /// Removes a resource.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.send(Method::DELETE, path, None::<&()>, JSON).await.map(drop)
    }

    /// Sends a request, and returns the answer once it begins.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        accept: &'static str,
    ) -> Result<Response<Incoming>, ClientError> {
        self.send_with(method, path, body, accept, None).await
    }

    /// The same with another header.
    async fn send_with(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        accept: &'static str,
        more: Option<(&'static str, &'static str)>,
    ) -> Result<Response<Incoming>, ClientError> {
        let unreachable = |error: &dyn StdError| ClientError::Unreachable {
            url: self.url.clone(),
            cause: tls::with_advice(root_cause(error)),
        };
        let mut request = Request::builder().method(method).header(header::ACCEPT, accept);
        if let Some((name, value)) = more {
            request = request.header(name, value);
        }
        let body = match body {
            None => Vec::new(),
            Some(body) => {
                request = request
                    .header(header::CONTENT_TYPE, JSON)
                    // So that an answer that has begun can still say why it ends.
                    .header(header::TE, "trailers")
                    .header(header::CONNECTION, "te");
                serde_json::to_vec(body).map_err(|error| unreachable(&error))?
            }
        };
        let url = self.url.at(path).map_err(|error| unreachable(&error))?;
        let request = request.uri(url).body(Full::from(body));
        let request = request.map_err(|error| unreachable(&error))?;
        let response = self.http.request(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = Limited::new(response.into_body(), REFUSAL_BYTES_MAX).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Err(ClientError::Refused(Refusal::of(status, &body)))
    }

    async fn whole<T: DeserializeOwned>(
        &self,
        response: Response<Incoming>,
    ) -> Result<T, ClientError> {
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| ClientError::Unfinished(root_cause(&*error)))?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| self.unexpected(&error))
    }

    /// Reads what an answer says.
    pub(crate) fn read<T: DeserializeOwned>(&self, answer: Value) -> Result<T, ClientError> {
        serde_json::from_value(answer).map_err(|error| self.unexpected(&error))
    }

    /// The error that an answer is not what it should be.
    pub(crate) fn unexpected(&self, error: &serde_json::Error) -> ClientError {
        let why = format!("its answer is not what this API has there ({error})");
        ClientError::NotAdmin { url: self.url.clone(), why }
    }
}

/// The innermost error, which says what happened; the outer ones say which library noticed.
pub(crate) fn root_cause(error: &dyn StdError) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}
