//! Ways to deployments.
//!
//! Plain `http://` is HTTP/2 with prior knowledge over connections of our own, since it is the hot
//! path; HTTP/1.1 and TLS (where ALPN decides) go through hyper-util's pooling client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use runtime_core::tables::deployment::Deployment;

use crate::{
    connection::CONNECTION_WINDOW_BYTES,
    host::Host,
    outgoing::PooledBody,
    tls::Tls,
    windows::{self, Windows},
};

/// The pooling client.
pub(crate) type Pooled = Client<HttpsConnector<HttpConnector>, PooledBody>;

/// How requests get to a deployment.
pub(crate) enum Way {
    /// On a connection of our own; a new one may take so long.
    Direct(Arc<Host>, Duration),
    /// Through the pooling client.
    Pooled(Arc<Pooled>),
}

/// All connections.
pub(crate) struct Clients {
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    windows: Windows,
    http1: Arc<Pooled>,
    tls: Arc<Pooled>,
    connect_timeout: Duration,
}

impl Clients {
    pub(crate) fn new(connect_timeout: Duration, tls: &Tls, windows: Windows) -> Self {
        let pooled = |http1| {
            let connector = tls.connector(http1, connect_timeout);
            let mut builder = Client::builder(TokioExecutor::new());
            builder
                .http2_initial_stream_window_size(windows::MOST_BYTES)
                .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES);
            Arc::new(builder.build(connector))
        };
        Self {
            hosts: Mutex::default(),
            windows,
            http1: pooled(true),
            tls: pooled(false),
            connect_timeout,
        }
    }

    /// The way to this address of a deployment.
    pub(crate) fn way(&self, deployment: &Deployment, uri: &Uri) -> Way {
        if deployment.http1 {
            return Way::Pooled(Arc::clone(&self.http1));
        }
        if uri.scheme_str() == Some("https") {
            return Way::Pooled(Arc::clone(&self.tls));
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = match hosts.get(authority) {
            Some(host) => Arc::clone(host),
            None => {
                let host = Arc::new(Host::new(self.windows.clone()));
                hosts.insert(authority.to_owned(), Arc::clone(&host));
                host
            }
        };
        Way::Direct(host, self.connect_timeout)
    }
}
