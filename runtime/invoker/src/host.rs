//! Connections to one host in HTTP/2 with prior knowledge, each shared by many attempts.
//!
//! This is the hot path, so it is h2 itself and not a client on top of it: a request's head and the
//! start of its body are one write then, and no task or channel stands between an attempt and its
//! stream.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::{
    Ping, PingPong, SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use http::{Request, Uri};
use runtime_core::attempt::Fault;
use tokio::{net::TcpStream, sync::Notify, time};

use crate::{quick_ack::QuickAck, stream::unreachable};

/// Streams that one connection carries before another one is made: below the limit of 200 that
/// hyper's servers announce. A server that announces less gets less.
const STREAMS_MAX: usize = 128;
/// The same until the other side has said what it takes, which few say is less.
const STREAMS_MAX_AT_FIRST: usize = 100;
/// Names and values of a response's headers are shorter than this together.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// What an endpoint may send on a stream before somebody reads it: an attempt whose large message waits
/// for memory is not read.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// The same for all [`STREAMS_MAX`] streams of a connection: those that are not read must leave the
/// others theirs.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 128 * STREAM_WINDOW_BYTES;
const _: () =
    assert!(CONNECTION_WINDOW_BYTES as usize == STREAMS_MAX * STREAM_WINDOW_BYTES as usize);
/// While it is in use, a connection is asked this often whether the other side is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// And has so long to answer.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// So many connections to one host are made at the same time, if there are attempts for all of them.
const DIALS_MAX: usize = 4;

/// The connections to one host and port.
#[derive(Default)]
pub(crate) struct Host {
    connections: Mutex<Vec<Connection>>,
    dials: Mutex<Dials>,
    /// A connection was made, or could not be.
    dialled: Notify,
}

/// Connections that are being made, and who waits for them.
#[derive(Default)]
struct Dials {
    under_way: usize,
    waiting: usize,
    failures: u64,
    /// Why the last one could not be made.
    last_failure: String,
}

/// Somebody who waits for a connection, for as long as this lives.
struct Waiting<'a>(&'a Host);

/// A connection that is up.
struct Connection {
    sender: SendRequest<Bytes>,
    streams: Arc<AtomicUsize>,
}

/// Room for a stream on a connection.
pub(crate) struct Room {
    sender: SendRequest<Bytes>,
    place: Place,
}

/// A stream that has begun.
pub(crate) struct Stream {
    pub(crate) response: ResponseFuture,
    pub(crate) sending: SendStream<Bytes>,
    /// To be kept for as long as it is open.
    pub(crate) place: Place,
}

impl Room {
    /// Begins a request.
    pub(crate) fn open(mut self, request: Request<()>) -> Result<Stream, Fault> {
        let opened = self.sender.send_request(request, false);
        let (response, sending) = opened.map_err(|error| unreachable(&error))?;
        Ok(Stream { response, sending, place: self.place })
    }
}

/// A stream's place on its connection, given back when it is dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(streams: &Arc<AtomicUsize>) -> Self {
        streams.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(streams))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// Whether it takes new streams: it does not when it broke, or the other side takes its leave.
    fn is_open(&mut self) -> bool {
        // This handle has no stream that waits to be opened, so it is never pending.
        let polled = self.sender.poll_ready(&mut Context::from_waker(Waker::noop()));
        !matches!(polled, Poll::Ready(Err(_)))
    }

    fn has_room(&self) -> bool {
        // One above the other side's limit would wait for another to end, maybe for its own callee.
        let limit = STREAMS_MAX.min(self.sender.current_max_send_streams());
        self.streams.load(Ordering::Relaxed) < limit
    }

    fn take(&self) -> Room {
        Room { sender: self.sender.clone(), place: Place::take(&self.streams) }
    }
}

impl Host {
    /// Room on a connection that is up; closed ones are forgotten on the way.
    pub(crate) fn room(&self) -> Option<Room> {
        let mut connections = self.connections();
        connections.retain_mut(Connection::is_open);
        connections.iter().find(|one| one.has_room()).map(Connection::take)
    }

    /// Room on a new connection. Whoever comes while one is being made shares its fate: a host that is
    /// not there is noticed by all at the same time.
    pub(crate) async fn connect(
        self: &Arc<Self>,
        uri: &Uri,
        timeout: Duration,
    ) -> Result<Room, Fault> {
        let _waiting = Waiting::begin(self);
        let failures = self.dials().failures;
        loop {
            let mut dialled = pin!(self.dialled.notified());
            dialled.as_mut().enable();
            if let Some(room) = self.room() {
                return Ok(room);
            }
            self.dial_if_needed(failures, uri, timeout)?;
            dialled.await;
        }
    }

    /// Makes as many connections as those who wait can use.
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
                let dialled = time::timeout(timeout, dial(&uri)).await;
                host.note(dialled.unwrap_or_else(|_| {
                    let message = format!("no connection within {} ms", timeout.as_millis());
                    Err(Fault::Unreachable { message })
                }));
            });
        }
        Ok(())
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

async fn dial(uri: &Uri) -> Result<Connection, Fault> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let connecting = TcpStream::connect((host, uri.port_u16().unwrap_or(80)));
    let stream = connecting.await.map_err(|error| unreachable(&error))?;
    stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
    let (sender, mut connection) = Builder::new()
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_max_send_streams(STREAMS_MAX_AT_FIRST)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .enable_push(false)
        .handshake(QuickAck::new(stream))
        .await
        .map_err(|error| unreachable(&error))?;
    let streams = Arc::default();
    let pings = connection.ping_pong();
    let in_use = Arc::clone(&streams);
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    tokio::spawn(async move {
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%error, "a connection to an endpoint ended with an error");
            },
            // Its streams end with it.
            () = answers_no_more(pings, in_use) => {
                tracing::warn!(
                    endpoint = authority,
                    "an endpoint does not answer on its connection; it is closed"
                );
            }
        }
    });
    Ok(Connection { sender, streams })
}

/// Done when the other side is not there any more.
async fn answers_no_more(pings: Option<PingPong>, streams: Arc<AtomicUsize>) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        time::sleep(KEEP_ALIVE_INTERVAL).await;
        if streams.load(Ordering::Relaxed) == 0 {
            continue;
        }
        let answer = time::timeout(KEEP_ALIVE_TIMEOUT, pings.ping(Ping::opaque())).await;
        if !matches!(answer, Ok(Ok(_))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use protocol::ProtocolVersion;
    use runtime_partition::{Clock, NodeClock};
    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        client::Way,
        stream::{Exchange, Received},
    };

    type Server = h2::server::Connection<TcpStream, Bytes>;

    async fn accept(listener: &TcpListener) -> Server {
        let (stream, _) = listener.accept().await.unwrap();
        h2::server::Builder::new().max_concurrent_streams(1).handshake(stream).await.unwrap()
    }

    /// Answers the next request, with its head alone.
    async fn answer(server: &mut Server) -> SendStream<Bytes> {
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        respond.send_response(Response::new(()), false).unwrap()
    }

    fn clock() -> Arc<dyn Clock> {
        Arc::new(NodeClock::start())
    }

    fn request(uri: &Uri) -> Request<()> {
        Request::post(uri.clone()).body(()).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_is_sent_before_the_request_is_on_its_way_goes_with_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let way = Way::Direct(Arc::default(), LONG);
        let mut exchange = Exchange::new(way, request(&uri), ProtocolVersion::V6, clock(), None);
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
        let host = Arc::new(Host::default());
        let (room, mut one) = tokio::join!(host.connect(&uri, LONG), accept(&listener));
        let first = room.unwrap().open(request(&uri)).unwrap();
        let _answering = answer(&mut one).await;
        tokio::spawn(async move { one.accept().await.is_none() });
        first.response.await.unwrap();
        assert!(host.room().is_none(), "its server takes one at a time, and has said so");
        let (room, mut other) = tokio::join!(host.connect(&uri, LONG), accept(&listener));
        let second = room.unwrap().open(request(&uri)).unwrap();
        let _answering = answer(&mut other).await;
        tokio::spawn(async move { other.accept().await.is_none() });
        second.response.await.unwrap();
        drop(first.place);
        assert!(host.room().is_some(), "there is room again on the first");
    }

    /// Those who wait do so together: one after the other each would wait for its own time out.
    #[tokio::test]
    async fn a_host_that_is_not_there_fails_everybody_at_once() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let uri: Uri = format!("http://{gone}/").parse().unwrap();
        let host = Arc::new(Host::default());
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

    /// Its window is small, it says all it has to say before it has read the request, and takes few
    /// streams at a time: none may be left behind.
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
        let host: Arc<Host> = Arc::default();
        for _ in 0..10 {
            let way = Way::Direct(Arc::clone(&host), LONG);
            let mut exchange =
                Exchange::new(way, request(&uri), ProtocolVersion::V6, clock(), None);
            exchange.send(Bytes::from(vec![7; 100_000]));
            assert!(
                matches!(exchange.receive().await, Ok(Received::Data(bytes)) if bytes == "answer")
            );
            assert!(matches!(exchange.receive().await, Ok(Received::End)));
            exchange.drain(LONG).await;
        }
        assert_eq!(host.connections().len(), 1, "one connection is enough for them");
    }

    #[tokio::test]
    async fn a_server_that_takes_its_leave_gets_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let host = Arc::new(Host::default());
        let (room, mut server) = tokio::join!(host.connect(&uri, LONG), accept(&listener));
        let mut stream = room.unwrap().open(request(&uri)).unwrap();
        let mut answering = answer(&mut server).await;
        server.graceful_shutdown();
        tokio::spawn(async move { server.accept().await.is_none() });
        let mut body = stream.response.await.unwrap().into_body();
        drop(stream.place);
        while host.room().is_some() {
            tokio::task::yield_now().await;
        }
        // What is under way is finished nevertheless.
        stream.sending.send_data(Bytes::new(), true).unwrap();
        answering.send_data(Bytes::from_static(b"done"), true).unwrap();
        assert_eq!(body.data().await.unwrap().unwrap(), "done");
    }
}
