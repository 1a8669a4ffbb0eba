//! What a server answers.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null when it is empty.
    ///
    /// # Errors
    /// When it is something else.
    pub fn json(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {text}"))
    }

    /// The JSON of a success.
    ///
    /// # Errors
    /// When it is none, with what it said.
    pub fn ok(&self) -> Result<Value> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!(self.status.is_success(), "{}: {text}", self.status);
        self.json()
    }

    /// The invocation it is about.
    ///
    /// # Errors
    /// When it does not say.
    pub fn invocation(&self) -> Result<String> {
        let id = self.headers.get("x-restate-id").context("no x-restate-id")?;
        Ok(id.to_str()?.to_owned())
    }

    /// Checks for a failure with this status whose message has this text.
    ///
    /// # Errors
    /// When it is another answer.
    pub fn expect_failure(&self, status: u16, message: &str) -> Result<()> {
        let text = String::from_utf8_lossy(&self.body);
        ensure!(self.status == status, "status {}, expected {status}: {text}", self.status);
        ensure!(text.contains(message), "'{text}' does not say '{message}'");
        Ok(())
    }
}
