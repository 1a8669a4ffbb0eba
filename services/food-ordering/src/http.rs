//! The HTTP client of these programs: posts JSON and expects a 2xx response.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Serialize;

/// An HTTP client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Http(Client<HttpConnector, Full<Bytes>>);

/// A request that takes longer fails, and the caller repeats it.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Default for Http {
    fn default() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

impl Http {
    /// Posts a body as JSON.
    ///
    /// # Errors
    /// Returns an error if there is no response, or if its status is not 2xx.
    pub async fn post(&self, to: &str, body: &impl Serialize) -> Result<()> {
        let request = Request::post(to)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(serde_json::to_vec(body)?.into()))?;
        let response = tokio::time::timeout(TIMEOUT, self.0.request(request))
            .await
            .with_context(|| format!("{to} does not respond"))?
            .with_context(|| format!("{to} cannot be reached"))?;
        let status = response.status();
        let _ = response.into_body().collect().await?;
        ensure!(status.is_success(), "{to} responded with {status}");
        Ok(())
    }
}
