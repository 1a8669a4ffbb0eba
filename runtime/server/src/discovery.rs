//! The admin asks endpoints through the invoker's client.

use runtime_admin::{Discovered, Discovery, DiscoveryError, discovery::Discovering};
use runtime_invoker::discover::{DiscoverError, discover};

/// Asks over HTTP.
pub(crate) struct HttpDiscovery;

impl Discovery for HttpDiscovery {
    fn discover<'a>(
        &'a self,
        uri: &'a str,
        http1: bool,
        headers: &'a [(String, String)],
    ) -> Discovering<'a> {
        Box::pin(async move {
            let found = discover(uri, http1, headers).await.map_err(refuse)?;
            Ok(Discovered { manifest: found.manifest, sdk: found.sdk, http1: found.http1 })
        })
    }
}

fn refuse(error: DiscoverError) -> DiscoveryError {
    DiscoveryError { restate_code: error.restate_code(), message: error.to_string() }
}
