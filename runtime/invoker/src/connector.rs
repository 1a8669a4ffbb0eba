//! Routes to deployments.
//!
//! Plain `http://` is HTTP/2 with prior knowledge over connections we manage ourselves, since it is
//! the hot path; HTTP/1.1 and TLS (where ALPN decides) go through hyper-util's pooling client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use runtime_core::model::deployment::Deployment;

use crate::{
    host::Host,
    outgoing::PooledBody,
    sockets::Sockets,
    tls::{Tls, TlsConnector},
    windows::Windows,
};

/// How long idle connections are kept, and how many per host: others may need the file descriptors.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const POOL_IDLE_MAX: usize = 64;
/// How much of an HTTP/1.1 response is buffered before it is consumed. It also bounds how much a
/// connection reads before others get their turn: an endpoint may send heads (`100 Continue`)
/// without end.
pub(crate) const HTTP1_BUFFER_BYTES_MAX: usize = 16 << 10;
/// How much a TLS endpoint may send on a stream before it is read. Such an endpoint has one
/// connection.
const POOL_STREAM_WINDOW_BYTES: u32 = 64 << 10;
/// The same, across all streams of a connection.
const POOL_CONNECTION_WINDOW_BYTES: u32 = 128 * POOL_STREAM_WINDOW_BYTES;

pub(crate) type Pooled = Client<TlsConnector, PooledBody>;

/// The route of a request to a deployment.
pub(crate) enum Route {
    /// Over a connection we manage ourselves, with a timeout for making a new one.
    Direct(Arc<Host>, Duration),
    /// Through hyper-util's pooling client.
    Pooled(Arc<Pooled>),
}

/// All connections to deployments.
pub(crate) struct Connector {
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    windows: Windows,
    sockets: Sockets,
    http1: Arc<Pooled>,
    tls: Arc<Pooled>,
    connect_timeout: Duration,
}

impl Connector {
    pub(crate) fn new(
        connect_timeout: Duration,
        tls: &Tls,
        windows: Windows,
        sockets: Sockets,
    ) -> Self {
        let pooled = |http1| {
            let connector = tls.connector(http1, connect_timeout, &sockets);
            let mut builder = Client::builder(TokioExecutor::new());
            builder
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(POOL_IDLE_TIMEOUT)
                .pool_max_idle_per_host(POOL_IDLE_MAX)
                .http1_max_buf_size(HTTP1_BUFFER_BYTES_MAX)
                .http2_initial_stream_window_size(POOL_STREAM_WINDOW_BYTES)
                .http2_initial_connection_window_size(POOL_CONNECTION_WINDOW_BYTES);
            Arc::new(builder.build(connector))
        };
        let (http1, tls) = (pooled(true), pooled(false));
        Self { hosts: Mutex::default(), windows, sockets, http1, tls, connect_timeout }
    }

    /// The route to this address of a deployment.
    pub(crate) fn route(&self, deployment: &Deployment, uri: &Uri) -> Route {
        if deployment.http1 {
            return Route::Pooled(Arc::clone(&self.http1));
        }
        if uri.scheme_str() == Some("https") {
            return Route::Pooled(Arc::clone(&self.tls));
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = match hosts.get(authority) {
            Some(host) => Arc::clone(host),
            None => {
                let host = Arc::new(Host::new(self.windows.clone(), self.sockets.clone()));
                hosts.insert(authority.to_owned(), Arc::clone(&host));
                host
            }
        };
        Route::Direct(host, self.connect_timeout)
    }
}
