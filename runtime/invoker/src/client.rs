//! Connections to deployments: made once, shared by many attempts.
//!
//! Plain `http://` is HTTP/2 with prior knowledge over connections of our own, since it is the hot
//! path; HTTP/1.1 and TLS (where ALPN decides) go through hyper-util's pooling client.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use runtime_core::{attempt::Fault, tables::deployment::Deployment};
use tokio::net::TcpStream;

use crate::{
    quick_ack::QuickAck,
    stream::{RequestBody, transport},
};

/// Streams that one connection carries before another one is made: below the limit of 200 that
/// hyper's servers announce.
const STREAMS_MAX: usize = 128;
/// Large enough that a stream with a long journal does not wait for its window.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same for all streams of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// A connection is asked this often whether the other side is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// The head of a response, when it is there.
pub(crate) type Responding =
    Pin<Box<dyn Future<Output = Result<(Response<Incoming>, Option<Place>), Fault>> + Send>>;

type Pooled = Client<HttpsConnector<HttpConnector>, RequestBody>;

/// All connections.
pub(crate) struct Clients {
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    http1: Pooled,
    tls: Pooled,
    connect_timeout: Duration,
}

/// The connections to one host and port.
#[derive(Default)]
struct Host {
    connections: Mutex<Vec<Connection>>,
    /// One connection is made at a time: whoever else needs one waits for it.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Connection {
    sender: SendRequest<RequestBody>,
    streams: Arc<AtomicUsize>,
}

impl Clients {
    pub(crate) fn new(connect_timeout: Duration) -> Self {
        let connector = || {
            let mut http = HttpConnector::new();
            http.enforce_http(false);
            http.set_nodelay(true);
            http.set_connect_timeout(Some(connect_timeout));
            http
        };
        let tls = || HttpsConnectorBuilder::new().with_webpki_roots().https_or_http();
        let http1 = Client::builder(TokioExecutor::new())
            .build(tls().enable_http1().wrap_connector(connector()));
        let tls = Client::builder(TokioExecutor::new())
            .build(tls().enable_all_versions().wrap_connector(connector()));
        Self { hosts: Mutex::default(), http1, tls, connect_timeout }
    }

    /// Sends a request; the future resolves with the response's head.
    pub(crate) fn send(
        &self,
        deployment: &Deployment,
        request: Request<RequestBody>,
    ) -> Responding {
        if deployment.http1 || request.uri().scheme_str() == Some("https") {
            let client = if deployment.http1 { &self.http1 } else { &self.tls };
            let responding = client.request(request);
            return Box::pin(async move {
                let response = responding.await.map_err(|error| transport(&error))?;
                Ok((response, None))
            });
        }
        let authority = request.uri().authority().map_or("", |authority| authority.as_str());
        let host = Arc::clone(lock(&self.hosts).entry(authority.to_owned()).or_default());
        Box::pin(send(host, request, self.connect_timeout))
    }
}

async fn send(
    host: Arc<Host>,
    request: Request<RequestBody>,
    connect_timeout: Duration,
) -> Result<(Response<Incoming>, Option<Place>), Fault> {
    let Connection { mut sender, streams } = match host.free() {
        Some(connection) => connection,
        // Rare, and large: on the heap, so that every other request is small.
        None => Box::pin(host.connect(request.uri(), connect_timeout)).await?,
    };
    let place = Place::take(streams);
    sender.ready().await.map_err(|error| transport(&error))?;
    let response = sender.send_request(request).await.map_err(|error| transport(&error))?;
    Ok((response, Some(place)))
}

/// A stream's place on its connection, given back when it is dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(streams: Arc<AtomicUsize>) -> Self {
        streams.fetch_add(1, Ordering::Relaxed);
        Self(streams)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Host {
    /// A connection with room; closed ones are forgotten on the way.
    fn free(&self) -> Option<Connection> {
        let mut connections = lock(&self.connections);
        connections.retain(|connection| !connection.sender.is_closed());
        let has_room =
            |connection: &&Connection| connection.streams.load(Ordering::Relaxed) < STREAMS_MAX;
        connections.iter().find(has_room).cloned()
    }

    async fn connect(&self, uri: &http::Uri, timeout: Duration) -> Result<Connection, Fault> {
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(connection) = self.free() {
            return Ok(connection);
        }
        let connecting = async {
            let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
            let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(80)))
                .await
                .map_err(|error| transport(&error))?;
            stream.set_nodelay(true).map_err(|error| transport(&error))?;
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .initial_stream_window_size(STREAM_WINDOW_BYTES)
                .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
                .keep_alive_interval(KEEP_ALIVE_INTERVAL)
                .handshake(TokioIo::new(QuickAck::new(stream)))
                .await
                .map_err(|error| transport(&error))?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to an endpoint ended with an error");
                }
            });
            Ok::<_, Fault>(Connection { sender, streams: Arc::default() })
        };
        let connection = tokio::time::timeout(timeout, connecting).await.map_err(|_| {
            let message = format!("no connection within {} ms", timeout.as_millis());
            Fault::Transport { message }
        })??;
        lock(&self.connections).push(connection.clone());
        Ok(connection)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
