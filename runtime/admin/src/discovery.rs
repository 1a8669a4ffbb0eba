//! How an endpoint is asked outside of an attempt: injected, since this crate opens no connections.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
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
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, DiscoveryError>> + Send + 'a>>;

/// An endpoint, and how it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its address, as it is stored.
    pub uri: &'a str,
    /// Whether it is to be spoken to in HTTP/1.1.
    pub http1: bool,
    /// Headers to send along.
    pub headers: &'a [(String, String)],
}

/// Asks endpoints.
pub trait Discovery: Send + Sync + 'static {
    /// Asks an endpoint what it offers.
    fn discover<'a>(&'a self, asked: Asked<'a>) -> Asking<'a, Discovered>;

    /// Asks an endpoint to read or write a payload for people, at a path of it.
    fn convert<'a>(&'a self, asked: Asked<'a>, path: String, payload: Bytes) -> Asking<'a, Bytes>;
}
