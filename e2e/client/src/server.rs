//! A running server, and how to send it requests.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use crate::HttpResponse;

/// The addresses of a server, and a client for it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Base URI of the ingress, without a trailing slash.
    pub ingress: String,
    /// Base URI of the admin API, without a trailing slash.
    pub admin: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Time limit of a request; long enough for a kill and restart in between.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time limit of [`Server::eventually`].
const EVENTUALLY: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

impl Server {
    /// Creates a client for the server at these addresses.
    pub fn new(ingress: SocketAddr, admin: SocketAddr) -> Self {
        Self {
            ingress: format!("http://{ingress}"),
            admin: format!("http://{admin}"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Sends a request to any URI.
    ///
    /// # Errors
    /// Returns an error if there is no response.
    pub async fn send(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<HttpResponse> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;
        let response = tokio::time::timeout(ANSWER_TIMEOUT, self.client.request(request))
            .await
            .with_context(|| format!("{uri}: no response"))?
            .with_context(|| uri.to_owned())?;
        let (parts, body) = response.into_parts();
        let body = tokio::time::timeout(ANSWER_TIMEOUT, body.collect())
            .await
            .with_context(|| format!("{uri}: the response is incomplete"))??;
        Ok(HttpResponse { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }

    /// Calls an ingress path with a JSON body; null sends no body.
    ///
    /// # Errors
    /// Returns an error if there is no response.
    pub async fn post(&self, path: &str, body: &Value) -> Result<HttpResponse> {
        self.post_with(path, body, &[]).await
    }

    /// Like [`Self::post`], with additional headers.
    ///
    /// # Errors
    /// Returns an error if there is no response.
    pub async fn post_with(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Result<HttpResponse> {
        let mut all = headers.to_vec();
        let body = if body.is_null() {
            Vec::new()
        } else {
            all.push((header::CONTENT_TYPE.as_str(), "application/json"));
            serde_json::to_vec(body)?
        };
        self.send(Method::POST, &format!("{}{path}", self.ingress), &all, body).await
    }

    /// Calls an ingress path with GET.
    ///
    /// # Errors
    /// Returns an error if there is no response.
    pub async fn get(&self, path: &str) -> Result<HttpResponse> {
        self.send(Method::GET, &format!("{}{path}", self.ingress), &[], Bytes::new()).await
    }

    /// Calls a handler and expects success.
    ///
    /// # Errors
    /// Returns an error if the call fails.
    pub async fn call(&self, path: &str, body: Value) -> Result<Value> {
        self.post(path, &body).await?.ok().with_context(|| path.to_owned())
    }

    /// Sends to a handler; returns the invocation's id.
    ///
    /// # Errors
    /// Returns an error if the request is not accepted.
    pub async fn send_to(&self, path: &str, body: Value) -> Result<String> {
        let accepted = self.call(&format!("{path}/send"), body).await?;
        let id = accepted["invocationId"].as_str().context("no invocationId")?;
        Ok(id.to_owned())
    }

    /// Registers an endpoint; the body is that of the admin API.
    ///
    /// # Errors
    /// Returns an error if there is no response.
    pub async fn register(&self, body: &Value) -> Result<HttpResponse> {
        let deployments = format!("{}/deployments", self.admin);
        let json = [("content-type", "application/json")];
        self.send(Method::POST, &deployments, &json, body.to_string()).await
    }

    /// Runs a SQL query over the admin API; the rows are JSON.
    ///
    /// # Errors
    /// Returns an error if there is no response.
    pub async fn query(&self, sql: &str) -> Result<HttpResponse> {
        let uri = format!("{}/query", self.admin);
        let headers = [("content-type", "application/json"), ("accept", "application/json")];
        self.send(Method::POST, &uri, &headers, json!({ "query": sql }).to_string()).await
    }

    /// The rows of a SQL query over the admin API.
    ///
    /// # Errors
    /// Returns an error if it fails.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Value>> {
        let mut answer = self.query(sql).await?.ok().with_context(|| sql.to_owned())?;
        let Some(Value::Array(rows)) = answer.get_mut("rows").map(Value::take) else {
            bail!("{sql}: no rows");
        };
        Ok(rows)
    }

    /// Requests an operation on an invocation from the admin API, such as `cancel` or `kill`.
    ///
    /// # Errors
    /// Returns an error if there is no response.
    pub async fn control(&self, id: &str, what: &str) -> Result<HttpResponse> {
        let uri = format!("{}/invocations/{id}/{what}", self.admin);
        self.send(Method::PATCH, &uri, &[], Bytes::new()).await
    }

    /// Repeats an attempt until it succeeds.
    ///
    /// # Errors
    /// Returns the last error if it does not succeed in time.
    pub async fn eventually<T, F: Future<Output = Result<T>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T> {
        let deadline = Instant::now() + EVENTUALLY;
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context("still failing after 30 s"));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
