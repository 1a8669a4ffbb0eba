//! Connects the admin API's discovery to the invoker's client.

use bytes::Bytes;
use runtime_admin::{Discovered, Discovery, DiscoveryError, EndpointProbe, discovery::Probing};
use runtime_invoker::{
    discover::{self, DiscoverError},
    tls::Tls,
};

/// Calls endpoints over HTTP.
pub(crate) struct HttpDiscovery(pub(crate) Tls);

impl Discovery for HttpDiscovery {
    fn discover<'a>(&'a self, asked: EndpointProbe<'a>) -> Probing<'a, Discovered> {
        Box::pin(async move {
            let found = discover::discover(&self.0, over_http(asked)).await.map_err(refuse)?;
            Ok(Discovered { manifest: found.manifest, sdk: found.sdk, http1: found.http1 })
        })
    }

    fn convert<'a>(
        &'a self,
        asked: EndpointProbe<'a>,
        path: String,
        payload: Bytes,
    ) -> Probing<'a, Bytes> {
        Box::pin(async move {
            discover::convert(&self.0, over_http(asked), &path, payload).await.map_err(refuse)
        })
    }
}

fn over_http(
    EndpointProbe { uri, http1, headers }: EndpointProbe<'_>,
) -> discover::EndpointProbe<'_> {
    discover::EndpointProbe { uri, http1, headers }
}

fn refuse(error: DiscoverError) -> DiscoveryError {
    DiscoveryError { restate_code: error.restate_code(), message: error.to_string() }
}
