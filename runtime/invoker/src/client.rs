//! Ways to deployments.
//!
//! Plain `http://` is HTTP/2 with prior knowledge over connections of our own, since it is the hot
//! path; HTTP/1.1 and TLS (where ALPN decides) go through hyper-util's pooling client.

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
    tls::{Connector, Tls},
    windows::Windows,
};

/// Connections that nobody uses are kept so long, and so many of them for one host: others may need what
/// they take.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const POOL_IDLE_MAX: usize = 64;
/// What of a response in HTTP/1.1 is read before somebody takes it.
const HTTP1_BUFFER_BYTES_MAX: usize = 16 << 10;
/// What an endpoint with TLS may send on a stream before somebody reads it. It has one connection.
const POOL_STREAM_WINDOW_BYTES: u32 = 64 << 10;
/// The same on all streams.
const POOL_CONNECTION_WINDOW_BYTES: u32 = 128 * POOL_STREAM_WINDOW_BYTES;

/// The pooling client.
pub(crate) type Pooled = Client<Connector, PooledBody>;

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
    sockets: Sockets,
    http1: Arc<Pooled>,
    tls: Arc<Pooled>,
    connect_timeout: Duration,
}

impl Clients {
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
                let host = Arc::new(Host::new(self.windows.clone(), self.sockets.clone()));
                hosts.insert(authority.to_owned(), Arc::clone(&host));
                host
            }
        };
        Way::Direct(host, self.connect_timeout)
    }
}
