//! How an endpoint is asked what it offers: injected, since this crate opens no connections.

use std::future::Future;
use std::pin::Pin;

use protocol::discovery::Manifest;

/// What an endpoint said.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// What it offers.
    pub manifest: Manifest,
    /// What its SDK says it is.
    pub sdk: Option<String>,
    /// Whether it has to be spoken to in HTTP/1.1.
    pub http1: bool,
}

/// An endpoint could not be asked, or made no sense.
#[derive(Debug, Clone, thiserror::Error)]
#[error("[{restate_code}] {message}")]
pub struct DiscoveryError {
    /// The API's code for it.
    pub restate_code: &'static str,
    /// What went wrong and what to do.
    pub message: String,
}

/// The answer, when it is there.
pub type Discovering<'a> =
    Pin<Box<dyn Future<Output = Result<Discovered, DiscoveryError>> + Send + 'a>>;

/// Asks endpoints.
pub trait Discovery: Send + Sync + 'static {
    /// Asks the endpoint at `uri` what it offers, in HTTP/1.1 if told so.
    fn discover<'a>(
        &'a self,
        uri: &'a str,
        http1: bool,
        headers: &'a [(String, String)],
    ) -> Discovering<'a>;
}
