//! How endpoints are called outside of attempts. The implementation is injected, because this crate
//! opens no connections.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use protocol::discovery::Manifest;

/// What an endpoint returned on discovery.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// What it offers.
    pub manifest: Manifest,
    /// Name and version of its SDK, as reported by the endpoint.
    pub sdk: Option<String>,
    /// Whether it has to be called with HTTP/1.1.
    pub http1: bool,
}

/// An endpoint could not be reached, or its response is not valid.
#[derive(Debug, Clone, thiserror::Error)]
#[error("[{restate_code}] {message}")]
pub struct DiscoveryError {
    /// The API's code for the error.
    pub restate_code: &'static str,
    /// What went wrong, and what to do about it.
    pub message: String,
}

/// The pending response of an endpoint.
pub type Probing<'a, T> = Pin<Box<dyn Future<Output = Result<T, DiscoveryError>> + Send + 'a>>;

/// An endpoint, and how to call it.
#[derive(Debug, Clone, Copy)]
pub struct EndpointProbe<'a> {
    /// Its address, as stored.
    pub uri: &'a str,
    /// Whether to call it with HTTP/1.1.
    pub http1: bool,
    /// Headers to send with the request.
    pub headers: &'a [(String, String)],
}

/// Calls endpoints outside of attempts.
pub trait Discovery: Send + Sync + 'static {
    /// Discovers what an endpoint offers.
    fn discover<'a>(&'a self, asked: EndpointProbe<'a>) -> Probing<'a, Discovered>;

    /// Has an endpoint convert a payload to or from its human-readable form, at the given path.
    fn convert<'a>(
        &'a self,
        asked: EndpointProbe<'a>,
        path: String,
        payload: Bytes,
    ) -> Probing<'a, Bytes>;
}
