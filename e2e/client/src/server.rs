//! A server, and how it is asked.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use crate::Answer;

/// Where a server is, and how it is asked.
#[derive(Debug, Clone)]
pub struct Server {
    /// Base address of the ingress, without a slash at the end.
    pub ingress: String,
    /// Base address of the admin API, without a slash at the end.
    pub admin: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// No single answer takes longer, kills and restarts included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// What is waited for has happened by then.
const EVENTUALLY: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

impl Server {
    /// A server at these addresses.
    pub fn new(ingress: SocketAddr, admin: SocketAddr) -> Self {
        Self {
            ingress: format!("http://{ingress}"),
            admin: format!("http://{admin}"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Sends a request to any address.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn send(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;
        let response = tokio::time::timeout(ANSWER_TIMEOUT, self.client.request(request))
            .await
            .with_context(|| format!("{uri}: no answer"))?
            .with_context(|| uri.to_owned())?;
        let (parts, body) = response.into_parts();
        let body = tokio::time::timeout(ANSWER_TIMEOUT, body.collect())
            .await
            .with_context(|| format!("{uri}: the answer does not end"))??;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }

    /// Calls a path of the ingress with a JSON body; null is no body at all.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.post_with(path, body, &[]).await
    }

    /// The same with headers.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn post_with(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Result<Answer> {
        let mut all = headers.to_vec();
        let body = if body.is_null() {
            Vec::new()
        } else {
            all.push((header::CONTENT_TYPE.as_str(), "application/json"));
            serde_json::to_vec(body)?
        };
        self.send(Method::POST, &format!("{}{path}", self.ingress), &all, body).await
    }

    /// Calls a path of the ingress without a body.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, &format!("{}{path}", self.ingress), &[], Bytes::new()).await
    }

    /// Calls a handler and wants success.
    ///
    /// # Errors
    /// When it fails.
    pub async fn call(&self, path: &str, body: Value) -> Result<Value> {
        self.post(path, &body).await?.ok().with_context(|| path.to_owned())
    }

    /// Sends to a handler; the invocation's id.
    ///
    /// # Errors
    /// When it is not accepted.
    pub async fn send_to(&self, path: &str, body: Value) -> Result<String> {
        let accepted = self.call(&format!("{path}/send"), body).await?;
        let id = accepted["invocationId"].as_str().context("no invocationId")?;
        Ok(id.to_owned())
    }

    /// Registers an endpoint; the body says which, and how.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn register(&self, body: &Value) -> Result<Answer> {
        let deployments = format!("{}/deployments", self.admin);
        let json = [("content-type", "application/json")];
        self.send(Method::POST, &deployments, &json, body.to_string()).await
    }

    /// Asks the admin API to do something with an invocation.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn control(&self, id: &str, what: &str) -> Result<Answer> {
        let uri = format!("{}/invocations/{id}/{what}", self.admin);
        self.send(Method::PATCH, &uri, &[], Bytes::new()).await
    }

    /// Tries until it succeeds.
    ///
    /// # Errors
    /// The last one, when it never does.
    pub async fn eventually<T, F: Future<Output = Result<T>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T> {
        let deadline = Instant::now() + EVENTUALLY;
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context("not even after 30 s"));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}
