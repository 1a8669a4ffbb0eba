//! Real connections with short bounds. The tests wait for events, never for a fixed time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response, StatusCode};
use http_body_util::{Full, StreamBody};
use hyper::{body::Frame, service::service_fn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, oneshot},
};

use crate::{
    Limits,
    body::{self, BodyError, Memory, Reading, Timed},
    connections::Connections,
    linger::Lingering,
    serve,
};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(100);

/// Limits that nothing ever exceeds.
fn patient() -> Limits {
    Limits { head: LONG, idle: LONG, stall: LONG, body: LONG, grace: SHORT, ..Limits::default() }
}

/// Controls the test server's `/wait`, and observes the body of `/large`.
#[derive(Clone, Default)]
struct Doings {
    /// Notified when a request enters `/wait`, which then blocks on `goes_on`, or `/read`.
    waits: Arc<Notify>,
    goes_on: Arc<Notify>,
    /// Notified when the response to `/large` has been dropped.
    large_is_gone: Arc<Notify>,
}

/// Memory without a limit.
struct Plenty;

impl Memory for Plenty {
    async fn reach(&mut self, bytes: usize, _: usize) -> Result<usize, BodyError> {
        Ok(bytes)
    }
}

/// Bytes that notify when the last reference to them is dropped.
struct Large(Vec<u8>, Arc<Notify>);

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.1.notify_one();
    }
}

async fn answer(doings: Doings, request: Request<Lingering>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    match request.uri().path() {
        "/wait" => {
            doings.waits.notify_one();
            doings.goes_on.notified().await;
        }
        "/large" => {
            let large = Large(vec![7; 32 << 20], doings.large_is_gone);
            *response.body_mut() = Full::new(Bytes::from_owner(large));
        }
        path => {
            if path == "/read" {
                doings.waits.notify_one();
            }
            let status = match body::read(request.into_body(), 1 << 20, &mut Plenty).await {
                Ok(body) => {
                    *response.body_mut() = Full::new(body);
                    StatusCode::OK
                }
                Err(BodyError::Slow { .. }) => StatusCode::REQUEST_TIMEOUT,
                Err(BodyError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
                Err(BodyError::Broken(_)) => StatusCode::BAD_REQUEST,
                Err(BodyError::NoMemory) => StatusCode::SERVICE_UNAVAILABLE,
            };
            *response.status_mut() = status;
        }
    }
    response
}

/// Starts a server of its own. It stops when the sender is dropped.
async fn start(limits: Limits) -> (SocketAddr, Doings, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let doings = Doings::default();
    let at_work = doings.clone();
    let service = service_fn(move |request| {
        let doings = at_work.clone();
        async move { Ok::<_, Infallible>(answer(doings, request).await) }
    });
    tokio::spawn(serve(listener, limits, service, async move { drop(stopped.await) }));
    (address, doings, stop)
}

const ASK: &[u8] = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";

/// Sends a request and reads the response.
async fn ask(stream: &mut TcpStream) -> std::io::Result<String> {
    stream.write_all(ASK).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"hi") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Waits until the peer closes the connection.
async fn closed(stream: &mut TcpStream) {
    let mut sink = [0; 1024];
    while !matches!(stream.read(&mut sink).await, Ok(0) | Err(_)) {}
}

#[tokio::test]
async fn silent_and_half_sent_heads_are_closed_and_pending_requests_stay() {
    let (address, _, _stop) = start(Limits { head: SHORT, ..patient() }).await;
    let mut kept = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut kept).await.unwrap().starts_with("HTTP/1.1 200"));
    let mut silent = TcpStream::connect(address).await.unwrap();
    closed(&mut silent).await;
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"POST / HTTP/1.1\r\nhost:").await.unwrap();
    closed(&mut half).await;
    // It has been idle for longer than a head may take.
    assert!(ask(&mut kept).await.unwrap().starts_with("HTTP/1.1 200"));
    // Its next head has to be as quick as any.
    kept.write_all(b"POST / HT").await.unwrap();
    closed(&mut kept).await;
}

#[tokio::test]
async fn an_idle_connection_ends_and_one_that_waits_for_its_answer_does_not() {
    let (address, doings, _stop) = start(Limits { head: SHORT, idle: SHORT, ..patient() }).await;
    let mut waits = TcpStream::connect(address).await.unwrap();
    waits.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    doings.waits.notified().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    ask(&mut idle).await.unwrap();
    closed(&mut idle).await;
    doings.goes_on.notify_one();
    let mut head = [0; 12];
    waits.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
}

#[tokio::test]
async fn the_quietest_makes_room_and_nobody_who_waits_does() {
    let (address, doings, _stop) = start(Limits { connections_max: 2, ..patient() }).await;
    let mut waits = TcpStream::connect(address).await.unwrap();
    waits.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    doings.waits.notified().await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut asks = TcpStream::connect(address).await.unwrap();
    ask(&mut asks).await.unwrap();
    closed(&mut silent).await;
    asks.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    doings.waits.notified().await;
    let mut refused = TcpStream::connect(address).await.unwrap();
    closed(&mut refused).await;
    doings.goes_on.notify_one();
    let mut head = [0; 12];
    waits.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_body_that_trickles_makes_room_and_one_that_comes_fast_enough_does_not() {
    let limits = Limits { connections_max: 2, stall_under_pressure: SHORT, ..patient() };
    let (address, doings, _stop) = start(limits).await;
    let mut waits = TcpStream::connect(address).await.unwrap();
    waits.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    doings.waits.notified().await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000001\r\n\r\n";
    slow.write_all(head).await.unwrap();
    // While the server has free permits, the body may be slow. A third client is refused until the
    // body counts as too slow.
    let mut third = loop {
        slow.write_all(b"x").await.unwrap();
        let mut third = TcpStream::connect(address).await.unwrap();
        if ask(&mut third).await.is_ok() {
            break third;
        }
    };
    closed(&mut slow).await;
    // A body that has earned its time keeps its permit through a long pause, and the next client is
    // refused.
    third.write_all(head).await.unwrap();
    third.write_all(&[b'x'; 1_000_000]).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    let mut fourth = TcpStream::connect(address).await.unwrap();
    closed(&mut fourth).await;
    third.write_all(b"x").await.unwrap();
    let mut answer = [0; 12];
    third.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    doings.goes_on.notify_one();
    waits.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// What has arrived earns time at the rate of [`Limits::body_bytes_under_pressure`]: at the minimum
/// rate, this beginning would keep the permit for minutes.
#[tokio::test]
async fn a_body_that_began_fast_and_goes_on_slowly_makes_room() {
    let limits = Limits { connections_max: 1, stall_under_pressure: SHORT, ..patient() };
    let (address, doings, _stop) = start(limits).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 1000001\r\n\r\n")
        .await
        .unwrap();
    doings.waits.notified().await;
    slow.write_all(&[b'x'; 300_000]).await.unwrap();
    let another = async {
        while ask(&mut TcpStream::connect(address).await.unwrap()).await.is_err() {
            let _ = slow.write_all(b"x").await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), another).await.unwrap();
}

#[tokio::test]
async fn where_bodies_give_way_only_those_who_wait_are_there_to_stay() {
    let limits = Limits { connections_max: 2, bodies_give_way: true, ..patient() };
    let (address, doings, _stop) = start(limits).await;
    let mut waits = TcpStream::connect(address).await.unwrap();
    waits.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    doings.waits.notified().await;
    let mut fast = TcpStream::connect(address).await.unwrap();
    fast.write_all(b"POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 1000001\r\n\r\n")
        .await
        .unwrap();
    doings.waits.notified().await;
    fast.write_all(&[b'x'; 1_000_000]).await.unwrap();
    // Between two chunks it may seem to wait for the service. It has earned a minute.
    let another =
        async { while ask(&mut TcpStream::connect(address).await.unwrap()).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), another).await.unwrap();
    closed(&mut fast).await;
    doings.goes_on.notify_one();
    let mut head = [0; 12];
    waits.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_makes_room() {
    let limits = Limits { connections_max: 1, stall_under_pressure: SHORT, ..patient() };
    let (address, doings, _stop) = start(limits).await;
    let mut reader = TcpStream::connect(address).await.unwrap();
    reader.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut begun = [0; 12];
    reader.read_exact(&mut begun).await.unwrap();
    while ask(&mut TcpStream::connect(address).await.unwrap()).await.is_err() {}
    doings.large_is_gone.notified().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_and_a_fast_one_in_many_pieces_is_read() {
    let (address, _, _stop) = start(Limits { body: SHORT, ..patient() }).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhi").await.unwrap();
    let mut head = [0; 12];
    slow.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 408");
    // Bytes received earn no long pause: 256 KiB would allow four minutes.
    let mut stalled = TcpStream::connect(address).await.unwrap();
    stalled
        .write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 999999\r\n\r\n")
        .await
        .unwrap();
    stalled.write_all(&vec![0; 256 << 10]).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(30), stalled.read_exact(&mut head));
    answer.await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 408");
    let sent: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let pieces = sent.iter().map(|byte| Ok::<_, Infallible>(Frame::data(vec![*byte].into())));
    let body = StreamBody::new(Pieces(pieces.collect()));
    assert_eq!(body::read(body, 5000, &mut Plenty).await.unwrap(), sent);
    let body = Full::new(Bytes::from_static(b"abc"));
    assert!(matches!(
        body::read(body, 2, &mut Plenty).await,
        Err(BodyError::TooLarge { limit_bytes: 2 })
    ));
}

/// The rest of a body is read to its end even when it is not wanted: closing the connection while
/// the client still sends would discard the response.
#[tokio::test]
async fn a_client_refused_while_sending_gets_the_response_and_keeps_its_connection() {
    let (address, _, _stop) = start(patient()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = vec![7; 8 << 20];
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len());
    let sized = format!("content-length: {}\r\n\r\n", body.len());
    for (head, end) in [(sized, ""), (chunked, "\r\n0\r\n\r\n")] {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{head}");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        stream.write_all(end.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
    }
    assert!(ask(&mut stream).await.unwrap().starts_with("HTTP/1.1 200"));
}

/// A stream of items that are all available.
struct Pieces<T>(std::collections::VecDeque<T>);

impl<T: Unpin> futures::Stream for Pieces<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.pop_front())
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_loses_its_connection() {
    stalled_readers_go(Limits { stall: SHORT, ..patient() }).await;
    // The same with a long limit, when other requests need the memory.
    let limits = Limits { stall_under_pressure: SHORT, ..patient() };
    let _waits = limits.pressure.begin();
    stalled_readers_go(limits.clone()).await;
}

async fn stalled_readers_go(limits: Limits) {
    let (address, doings, _stop) = start(limits).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stalled = socket.connect(address).await.unwrap();
    stalled.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    doings.large_is_gone.notified().await;
    // The same when the transport makes progress and only one stream is stalled.
    let stream = TcpStream::connect(address).await.unwrap();
    let handshake = h2::client::Builder::new().initial_window_size(0).handshake(stream);
    let (mut sender, connection): (SendRequest<Bytes>, _) = handshake.await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/large").body(()).unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let _head = response.await.unwrap();
    doings.large_is_gone.notified().await;
}

#[tokio::test]
async fn a_reader_that_takes_its_time_gets_everything() {
    let (address, doings, _stop) =
        start(Limits { stall: Duration::from_secs(5), ..patient() }).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let (mut bytes, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        let read = slow.read(&mut piece).await.unwrap();
        if read == 0 {
            break;
        }
        bytes += read;
    }
    assert!(bytes > 32 << 20);
    doings.large_is_gone.notified().await;
}

#[tokio::test]
async fn what_is_under_way_when_the_server_stops_is_answered() {
    let (address, doings, stop) = start(Limits { grace: LONG, ..patient() }).await;
    let mut waits = TcpStream::connect(address).await.unwrap();
    waits.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    doings.waits.notified().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    ask(&mut idle).await.unwrap();
    stop.send(()).unwrap();
    closed(&mut idle).await;
    doings.goes_on.notify_one();
    let mut answer = Vec::new();
    waits.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

/// Reads a body that arrives in `pieces` chunks of `bytes` bytes, each after a pause, into
/// `memory`.
async fn read_in_pieces(
    limits: &Limits,
    (pieces, bytes): (usize, usize),
    pause: Duration,
    memory: &mut impl Memory,
) -> Result<usize, BodyError> {
    let permit = Connections::new(limits).enter().unwrap();
    let body = Box::pin(futures::stream::unfold(0, move |sent| async move {
        tokio::time::sleep(pause).await;
        let frame = Frame::data(Bytes::from(vec![7; bytes]));
        (sent < pieces).then_some((Ok::<_, Infallible>(frame), sent + 1))
    }));
    let body = Timed::new(StreamBody::new(body), limits, Reading::begin(&permit.connection));
    Ok(body::read(body, usize::MAX, memory).await?.len())
}

/// Memory that becomes available after a while.
struct Late;

impl Memory for Late {
    async fn reach(&mut self, bytes: usize, _: usize) -> Result<usize, BodyError> {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(bytes)
    }
}

#[tokio::test]
async fn a_body_that_hardly_gets_on_is_given_up_while_others_need_its_memory() {
    let limits = patient();
    let (bytewise, briskly) = (Duration::from_millis(10), Duration::from_millis(20));
    let read = read_in_pieces(&limits, (150, 1), bytewise, &mut Plenty).await;
    assert_eq!(read.unwrap(), 150, "nobody needs it");
    limits.body_pressure.note_refusal();
    let read = read_in_pieces(&limits, (500, 1), bytewise, &mut Plenty).await;
    assert!(matches!(read, Err(BodyError::Slow { .. })), "{read:?}");
    let _waits = limits.body_pressure.begin();
    let read = read_in_pieces(&limits, (500, 1), bytewise, &mut Plenty).await;
    assert!(matches!(read, Err(BodyError::Slow { .. })), "{read:?}");
    let read = read_in_pieces(&limits, (9, 16 << 10), briskly, &mut Plenty).await;
    assert_eq!(read.unwrap(), 9 * (16 << 10), "that gets on");
    let read = read_in_pieces(&limits, (9, 16 << 10), briskly, &mut Late).await;
    assert_eq!(read.unwrap(), 9 * (16 << 10), "it waits for us");
    let short =
        Limits { body: Duration::from_millis(500), body_bytes_per_second: 1 << 20, ..limits };
    let read = read_in_pieces(&short, (3, 1024), briskly, &mut Late).await;
    assert_eq!(read.unwrap(), 3 * 1024, "it waits for us for longer than a body may take");
}
