//! Connects the admin API's discovery to the invoker's client.

use bytes::Bytes;
use runtime_admin::{Asked, Discovered, Discovery, DiscoveryError, discovery::Asking};
use runtime_invoker::{
    discover::{self, DiscoverError},
    tls::Tls,
};

/// Calls endpoints over HTTP.
pub(crate) struct HttpDiscovery(pub(crate) Tls);

impl Discovery for HttpDiscovery {
    fn discover<'a>(&'a self, asked: Asked<'a>) -> Asking<'a, Discovered> {
        Box::pin(async move {
            let found = discover::discover(&self.0, over_http(asked)).await.map_err(refuse)?;
            Ok(Discovered { manifest: found.manifest, sdk: found.sdk, http1: found.http1 })
        })
    }

    fn convert<'a>(&'a self, asked: Asked<'a>, path: String, payload: Bytes) -> Asking<'a, Bytes> {
        Box::pin(async move {
            discover::convert(&self.0, over_http(asked), &path, payload).await.map_err(refuse)
        })
    }
}

fn over_http(Asked { uri, http1, headers }: Asked<'_>) -> discover::Asked<'_> {
    discover::Asked { uri, http1, headers }
}

fn refuse(error: DiscoverError) -> DiscoveryError {
    DiscoveryError { restate_code: error.restate_code(), message: error.to_string() }
}
