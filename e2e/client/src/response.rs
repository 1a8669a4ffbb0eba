//! HTTP responses of a server.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An HTTP response.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// The response headers.
    pub headers: HeaderMap,
    /// The complete response body.
    pub body: Bytes,
}

impl HttpResponse {
    /// Parses the body as JSON; null if it is empty.
    ///
    /// # Errors
    /// Returns an error if the body is not JSON.
    pub fn json(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {text}"))
    }

    /// Parses the JSON body of a successful response.
    ///
    /// # Errors
    /// Returns an error with the body if the status is not a success.
    pub fn ok(&self) -> Result<Value> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!(self.status.is_success(), "{}: {text}", self.status);
        self.json()
    }

    /// The id of the invocation that the response refers to.
    ///
    /// # Errors
    /// Returns an error if the response has no `x-restate-id` header.
    pub fn invocation(&self) -> Result<String> {
        let id = self.headers.get("x-restate-id").context("no x-restate-id")?;
        Ok(id.to_str()?.to_owned())
    }

    /// Checks that the response is a failure with this status, and that its message contains this
    /// text.
    ///
    /// # Errors
    /// Returns an error if it is any other response.
    pub fn expect_failure(&self, status: u16, message: &str) -> Result<()> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!(self.status == status, "status {}, expected {status}: {text}", self.status);
        ensure!(text.contains(message), "'{text}' does not contain '{message}'");
        Ok(())
    }
}
