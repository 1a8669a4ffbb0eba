//! The connections to one host, made on demand.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Uri;
use runtime_core::attempt::Fault;
use tokio::{sync::Notify, time};

use crate::{
    connection::{Connection, STREAMS_MAX_AT_FIRST, StreamSlot, dial},
    sockets::Sockets,
    stream::unreachable,
    windows::Windows,
};

/// How many connections to one host are made concurrently, if enough attempts are waiting.
const DIALS_MAX: usize = 4;

pub(crate) struct Host {
    windows: Windows,
    sockets: Sockets,
    connections: Mutex<Vec<Connection>>,
    dials: Mutex<Dials>,
    /// Notified when a connection was made or has failed.
    dialled: Notify,
}

/// Connections being made, and the attempts waiting for them.
#[derive(Default)]
struct Dials {
    under_way: usize,
    waiting: usize,
    failures: u64,
    /// Error message of the last one that failed.
    last_failure: String,
}

/// Counts an attempt as waiting for a connection until it is dropped.
struct Waiting<'a>(&'a Host);

impl Host {
    pub(crate) fn new(windows: Windows, sockets: Sockets) -> Self {
        Self {
            windows,
            sockets,
            connections: Mutex::default(),
            dials: Mutex::default(),
            dialled: Notify::new(),
        }
    }

    /// Takes a stream slot on an established connection; forgets closed connections along the way.
    pub(crate) fn slot(&self) -> Option<StreamSlot> {
        let mut connections = self.connections();
        connections.retain_mut(Connection::is_open);
        connections.iter().find(|one| one.has_slot()).map(Connection::take)
    }

    /// Takes a stream slot on a new connection. Attempts that arrive while one is being made share
    /// its outcome, so that an unreachable host fails all of them at once.
    pub(crate) async fn connect(
        self: &Arc<Self>,
        uri: &Uri,
        timeout: Duration,
    ) -> Result<StreamSlot, Fault> {
        let _waiting = Waiting::begin(self);
        let failures = self.dials().failures;
        loop {
            let mut dialled = pin!(self.dialled.notified());
            dialled.as_mut().enable();
            if let Some(slot) = self.slot() {
                return Ok(slot);
            }
            self.dial_if_needed(failures, uri, timeout)?;
            dialled.await;
        }
    }

    /// Starts as many connections as the waiting attempts can use.
    fn dial_if_needed(
        self: &Arc<Self>,
        failures: u64,
        uri: &Uri,
        timeout: Duration,
    ) -> Result<(), Fault> {
        let mut dials = self.dials();
        if dials.failures > failures {
            return Err(Fault::Unreachable { message: dials.last_failure.clone() });
        }
        let wanted = dials.waiting.div_ceil(STREAMS_MAX_AT_FIRST).min(DIALS_MAX);
        while dials.under_way < wanted {
            dials.under_way += 1;
            let (host, uri) = (Arc::clone(self), uri.clone());
            tokio::spawn(async move {
                host.note(host.dial(&uri, timeout).await);
            });
        }
        Ok(())
    }

    /// Waits up to `timeout` for a connection permit, and then as long again for the connection
    /// itself.
    async fn dial(&self, uri: &Uri, timeout: Duration) -> Result<Connection, Fault> {
        let socket = self.sockets.take(uri, timeout).await.map_err(|error| unreachable(&error))?;
        time::timeout(timeout, dial(uri, &self.windows, socket)).await.unwrap_or_else(|_| {
            let message = format!("no connection within {} ms", timeout.as_millis());
            Err(Fault::Unreachable { message })
        })
    }

    fn note(&self, dialled: Result<Connection, Fault>) {
        let failure = match dialled {
            Ok(connection) => {
                self.connections().push(connection);
                None
            }
            Err(Fault::Unreachable { message }) => Some(message),
            Err(fault) => Some(fault.to_string()),
        };
        let mut dials = self.dials();
        dials.under_way -= 1;
        if let Some(failure) = failure {
            dials.failures += 1;
            dials.last_failure = failure;
        }
        drop(dials);
        self.dialled.notify_waiters();
    }

    fn dials(&self) -> MutexGuard<'_, Dials> {
        self.dials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Waiting<'a> {
    fn begin(host: &'a Host) -> Self {
        host.dials().waiting += 1;
        Self(host)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dials().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use h2::SendStream;
    use http::{Request, Response};
    use protocol::ProtocolVersion;
    use runtime_partition::{Clock, NodeClock};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{
        connector::Route,
        stream::{Exchange, Received},
    };

    type Server = h2::server::Connection<TcpStream, Bytes>;

    async fn accept(listener: &TcpListener) -> Server {
        let (stream, _) = listener.accept().await.unwrap();
        h2::server::Builder::new().max_concurrent_streams(1).handshake(stream).await.unwrap()
    }

    /// Answers the next request with just a response head.
    async fn answer(server: &mut Server) -> SendStream<Bytes> {
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        respond.send_response(Response::new(()), false).unwrap()
    }

    fn clock() -> Arc<dyn Clock> {
        Arc::new(NodeClock::start())
    }

    fn host() -> Arc<Host> {
        Arc::new(Host::new(Windows::default(), Sockets::new(100)))
    }

    fn request(uri: &Uri) -> Request<()> {
        Request::post(uri.clone()).body(()).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_is_sent_before_the_request_is_on_its_way_goes_with_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let route = Route::Direct(host(), LONG);
        let mut exchange = Exchange::new(route, request(&uri), ProtocolVersion::V6, clock(), None);
        exchange.send(Bytes::from_static(b"start"));
        exchange.send(Bytes::from_static(b"input"));
        exchange.half_close();
        let serving = async {
            let mut server = accept(&listener).await;
            let (request, mut respond) = server.accept().await.unwrap().unwrap();
            let head =
                Response::builder().header("content-type", ProtocolVersion::V6.content_type());
            let mut answering = respond.send_response(head.body(()).unwrap(), false).unwrap();
            tokio::spawn(async move { server.accept().await.is_none() });
            let (mut body, mut read) = (request.into_body(), Vec::new());
            while let Some(bytes) = body.data().await {
                read.extend_from_slice(&bytes.unwrap());
            }
            answering.send_data(Bytes::from_static(b"answer"), true).unwrap();
            read
        };
        let (read, received) = tokio::join!(serving, exchange.receive());
        assert_eq!(read, b"startinput", "all that was sent, then the end");
        assert!(matches!(received, Ok(Received::Data(bytes)) if bytes == "answer"));
        assert!(matches!(exchange.receive().await, Ok(Received::End)));
    }

    #[tokio::test]
    async fn a_stream_that_one_connection_does_not_take_goes_on_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let host = host();
        let (slot, mut one) = tokio::join!(host.connect(&uri, LONG), accept(&listener));
        let first = slot.unwrap().open(request(&uri)).unwrap();
        let _answering = answer(&mut one).await;
        tokio::spawn(async move { one.accept().await.is_none() });
        first.response.await.unwrap();
        assert!(host.slot().is_none(), "its server takes one at a time, and has said so");
        let (slot, mut other) = tokio::join!(host.connect(&uri, LONG), accept(&listener));
        let second = slot.unwrap().open(request(&uri)).unwrap();
        let _answering = answer(&mut other).await;
        tokio::spawn(async move { other.accept().await.is_none() });
        second.response.await.unwrap();
        drop(first.guard);
        assert!(host.slot().is_some(), "there is room again on the first");
    }

    /// Attempts wait together: one after the other, each would wait for its own timeout.
    #[tokio::test]
    async fn a_host_that_is_not_there_fails_everybody_at_once() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let uri: Uri = format!("http://{gone}/").parse().unwrap();
        let host = host();
        let calls = (0..250).map(|_| {
            let (host, uri) = (Arc::clone(&host), uri.clone());
            async move { host.connect(&uri, LONG).await.err() }
        });
        let faults = futures::future::join_all(calls).await;
        assert!(faults.iter().all(|fault| matches!(fault, Some(Fault::Unreachable { .. }))));
        let dials = host.dials();
        assert!(dials.failures <= DIALS_MAX as u64, "{} dials", dials.failures);
        assert_eq!((dials.under_way, dials.waiting), (0, 0));
    }

    /// The server has a small window, sends its entire response before it has read the request, and
    /// accepts few streams at a time. No stream may be leaked.
    #[tokio::test]
    async fn an_endpoint_that_does_not_read_its_request_loses_no_streams() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut builder = h2::server::Builder::new();
            builder.initial_window_size(10).max_concurrent_streams(2);
            let mut server: h2::server::Connection<_, Bytes> =
                builder.handshake(stream).await.unwrap();
            let mut unread = Vec::new();
            while let Some(Ok((request, mut respond))) = server.accept().await {
                let head =
                    Response::builder().header("content-type", ProtocolVersion::V6.content_type());
                let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                body.send_data(Bytes::from_static(b"answer"), true).unwrap();
                unread.push(request);
            }
        });
        let host = host();
        for _ in 0..10 {
            let route = Route::Direct(Arc::clone(&host), LONG);
            let mut exchange =
                Exchange::new(route, request(&uri), ProtocolVersion::V6, clock(), None);
            exchange.send(Bytes::from(vec![7; 100_000]));
            assert!(
                matches!(exchange.receive().await, Ok(Received::Data(bytes)) if bytes == "answer")
            );
            assert!(matches!(exchange.receive().await, Ok(Received::End)));
            exchange.drain(LONG).await;
        }
        assert_eq!(host.connections().len(), 1, "one connection is enough for them");
    }

    /// What the server may send ahead takes memory here: the more attempts there are, the smaller
    /// the window.
    #[tokio::test]
    async fn a_connection_follows_the_windows_that_there_is_memory_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (told, mut windows_seen) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut server = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = server.accept().await {
                let mut sending = respond.send_response(Response::new(()), false).unwrap();
                sending.reserve_capacity(1 << 20);
                let capacity = std::future::poll_fn(|cx| sending.poll_capacity(cx)).await;
                told.send(capacity.unwrap().unwrap()).unwrap();
                sending.send_data(Bytes::new(), true).unwrap();
            }
        });
        let windows = Windows::default();
        let host = Arc::new(Host::new(windows.clone(), Sockets::new(100)));
        drop(host.connect(&uri, LONG).await.unwrap());
        let mut window = async || {
            // It has no stream slots until the server has accepted the smaller window.
            let slot = loop {
                match host.slot() {
                    Some(slot) => break slot,
                    None => tokio::task::yield_now().await,
                }
            };
            let stream = slot.open(request(&uri)).unwrap();
            let window = windows_seen.recv().await.unwrap();
            drop(stream);
            window
        };
        assert_eq!(window().await, 256 << 10);
        for (attempts, expected) in [(5000, 4 << 10), (500, 16 << 10), (10, 256 << 10)] {
            windows.fit(attempts);
            while window().await != expected {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(host.connections().len(), 1);
    }

    /// The server accepts the first settings but no later ones, so it may still send as much ahead
    /// as before.
    #[tokio::test]
    async fn an_endpoint_that_accepts_no_smaller_window_gets_no_more_streams() {
        const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        const ACCEPTED: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
        let (listener, uri) = listen().await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&[SETTINGS, ACCEPTED].concat()).await.unwrap();
            let mut unheard = [0; 1024];
            while stream.read(&mut unheard).await.is_ok_and(|bytes| bytes > 0) {}
        });
        let windows = Windows::default();
        let host = Host::new(windows.clone(), Sockets::new(100));
        let host = Arc::new(host);
        drop(host.connect(&uri, LONG).await.unwrap());
        assert!(host.slot().is_some());
        windows.fit(5000);
        while host.slot().is_some() {
            tokio::task::yield_now().await;
        }
        // No attempt is waiting here for the connection to be closed.
        time::sleep(Duration::from_millis(200)).await;
        assert!(host.slot().is_none(), "it has accepted nothing");
    }

    /// Two hosts share one connection permit: the idle one gives it up.
    #[tokio::test]
    async fn an_idle_connection_leaves_when_another_host_needs_its_place() {
        let (one, other) = (listen().await, listen().await);
        let sockets = Sockets::new(1);
        let host = || Arc::new(Host::new(Windows::default(), sockets.clone()));
        let (first, second) = (host(), host());
        let (slot, mut server) = tokio::join!(first.connect(&one.1, LONG), accept(&one.0));
        let stream = slot.unwrap().open(request(&one.1)).unwrap();
        let mut answering = answer(&mut server).await;
        tokio::spawn(async move { server.accept().await.is_none() });
        let mut waits = pin!(second.connect(&other.1, LONG));
        let mut in_use = pin!(time::sleep(Duration::from_millis(500)));
        let refused = host().connect(&other.1, Duration::from_millis(100)).await.err().unwrap();
        assert!(
            refused.to_string().contains("1 of 1 connections to endpoints are in use"),
            "{refused}"
        );
        tokio::select! {
            _ = &mut waits => panic!("the one connection is in use"),
            () = &mut in_use => (),
        }
        answering.send_data(Bytes::new(), true).unwrap();
        drop(stream);
        let (slot, _server) = tokio::join!(waits, accept(&other.0));
        slot.unwrap();
    }

    async fn listen() -> (TcpListener, Uri) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        (listener, uri)
    }

    #[tokio::test]
    async fn a_server_that_takes_its_leave_gets_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let host = host();
        let (slot, mut server) = tokio::join!(host.connect(&uri, LONG), accept(&listener));
        let mut stream = slot.unwrap().open(request(&uri)).unwrap();
        let mut answering = answer(&mut server).await;
        server.graceful_shutdown();
        tokio::spawn(async move { server.accept().await.is_none() });
        let mut body = stream.response.await.unwrap().into_body();
        drop(stream.guard);
        while host.slot().is_some() {
            tokio::task::yield_now().await;
        }
        // Requests in flight still complete.
        stream.sending.send_data(Bytes::new(), true).unwrap();
        answering.send_data(Bytes::from_static(b"done"), true).unwrap();
        assert_eq!(body.data().await.unwrap().unwrap(), "done");
    }
}
