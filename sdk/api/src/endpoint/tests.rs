//! The port, tested from outside: which protocols it accepts, and what happens to a handler whose
//! stream or process ends.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::{SendStream, client::SendRequest};
use http::{Request, Response};
use protocol::ProtocolVersion;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{patience::Patience, server::PREFACE_RETRY};
use crate::{
    prelude::*,
    tests::{input, opening_of},
};

/// State shared by the test and its handlers.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<Notify>,
    left: Arc<Notify>,
    /// How many handlers are computing now, and the maximum so far.
    computing: Arc<Mutex<(u32, u32)>>,
    second: Arc<Condvar>,
}

struct Leaving(Arc<Notify>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

struct Waiter(Gate);

#[service]
impl Waiter {
    /// Waits until the test opens the gate.
    pub async fn wait(&self, _ctx: &Context) -> Result<()> {
        let _leaving = Leaving(Arc::clone(&self.0.left));
        self.0.open.notified().await;
        Ok(())
    }

    /// Computes until another handler does so too, for a limited time.
    pub async fn meet(&self, _ctx: &Context) -> Result<()> {
        let mut computing = self.0.computing.lock().unwrap();
        computing.0 += 1;
        computing.1 = computing.1.max(computing.0);
        self.0.second.notify_all();
        let (mut computing, _) =
            self.0.second.wait_timeout_while(computing, LONG, |computing| computing.1 < 2).unwrap();
        computing.0 -= 1;
        Ok(())
    }

    /// Returns more than fits into a flow-control window.
    pub async fn tell(&self, _ctx: &Context) -> Result<Raw> {
        Ok(Raw(Bytes::from(vec![7; MUCH])))
    }

    /// Panics when it is dropped.
    pub async fn slam(&self, _ctx: &Context) -> Result<()> {
        let _slamming = Slamming;
        self.0.open.notified().await;
        Ok(())
    }
}

struct Slamming;

impl Drop for Slamming {
    fn drop(&mut self) {
        panic!("as a test wants it");
    }
}

/// More than ten times h2's initial window.
const MUCH: usize = 1 << 20;
/// Far longer than anything here takes, and less than an endpoint waits when it shuts down.
const LONG: Duration = Duration::from_secs(8);

/// A running endpoint, and the means to shut it down.
struct Served {
    address: String,
    end: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

async fn serve(gate: Gate) -> Served {
    serve_with(gate, Patience::default()).await
}

async fn serve_with(gate: Gate, patience: Patience) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (end, ended) = oneshot::channel();
    let mut endpoint = Endpoint::new().bind(Waiter(gate));
    endpoint.patience = patience;
    let serving = endpoint.serve_listener(listener, async {
        let _ = ended.await;
    });
    let serving = tokio::spawn(async { serving.await.unwrap() });
    Served { address, end, serving }
}

async fn connect(address: &str) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Invokes a handler with a journal that has nothing but its input.
async fn invoke(
    runtime: &mut SendRequest<Bytes>,
    handler: &str,
) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
    let request = Request::post(format!("http://endpoint/invoke/Waiter/{handler}"))
        .header("content-type", ProtocolVersion::V6.content_type())
        .body(())
        .unwrap();
    std::future::poll_fn(|cx| runtime.poll_ready(cx)).await.unwrap();
    let (response, mut sending) = runtime.send_request(request, false).unwrap();
    let journal = [input(ProtocolVersion::V6)];
    sending.send_data(opening_of(&journal), false).unwrap();
    (response, sending)
}

/// Reads a response to its end, and returns its length in bytes.
async fn read(response: Response<h2::RecvStream>) -> usize {
    assert_eq!(response.status(), 200);
    let (mut body, mut read) = (response.into_body(), 0);
    while let Some(bytes) = body.data().await {
        let bytes = bytes.unwrap();
        read += bytes.len();
        body.flow_control().release_capacity(bytes.len()).unwrap();
    }
    read
}

#[tokio::test]
async fn one_port_takes_http_1_and_2_however_the_first_bytes_arrive() {
    let served = serve(Gate::default()).await;
    let mut one = TcpStream::connect(&served.address).await.unwrap();
    one.write_all(b"GET /health HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    one.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    let mut two = TcpStream::connect(&served.address).await.unwrap();
    two.set_nodelay(true).unwrap();
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    for part in [b"P".as_slice(), b"RI", b" * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings] {
        two.write_all(part).await.unwrap();
        // Long enough for each part to be read separately.
        sleep(3 * PREFACE_RETRY).await;
    }
    let mut frame = [0; 9];
    two.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "it answers with its settings");
}

#[tokio::test]
async fn what_is_under_way_is_finished_when_the_endpoint_ends() {
    let gate = Gate::default();
    let served = serve(gate.clone()).await;
    let mut runtime = connect(&served.address).await;
    let (response, _sending) = invoke(&mut runtime, "wait").await;
    let response = response.await.unwrap();
    let idle = connect(&served.address).await;
    served.end.send(()).unwrap();
    // The port is released at once.
    while TcpStream::connect(&served.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!served.serving.is_finished(), "a handler is under way");
    gate.open.notify_one();
    assert!(read(response).await > 0);
    // The idle connection ends too.
    timeout(LONG, served.serving).await.unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_handler_ends_with_its_stream() {
    let gate = Gate::default();
    let served = serve(gate.clone()).await;
    let mut runtime = connect(&served.address).await;
    // The first ones run in tasks of their own, the later ones inline.
    for _ in 0..20 {
        let (response, mut sending) = invoke(&mut runtime, "wait").await;
        let response = response.await.unwrap();
        sending.send_reset(h2::Reason::CANCEL);
        gate.left.notified().await;
        drop(response);
    }
    // The connection still works.
    gate.open.notify_one();
    let (response, _sending) = invoke(&mut runtime, "wait").await;
    assert!(read(response.await.unwrap()).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handlers_that_compute_for_long_do_so_side_by_side() {
    let gate = Gate::default();
    let served = serve(gate.clone()).await;
    let mut runtime = connect(&served.address).await;
    let (one, _sending) = invoke(&mut runtime, "meet").await;
    let (other, _sending) = invoke(&mut runtime, "meet").await;
    let (one, other) = tokio::join!(one, other);
    assert!(read(one.unwrap()).await > 0);
    assert!(read(other.unwrap()).await > 0);
    assert_eq!(gate.computing.lock().unwrap().1, 2);
}

#[tokio::test]
async fn an_answer_waits_for_its_window() {
    let served = serve(Gate::default()).await;
    let mut runtime = connect(&served.address).await;
    // Often enough that the handler counts as quick.
    for _ in 0..20 {
        let (response, _sending) = invoke(&mut runtime, "tell").await;
        let response = response.await.unwrap();
        tokio::task::yield_now().await;
        assert!(read(response).await > MUCH);
    }
}

#[tokio::test]
async fn a_handler_that_leaves_badly_leaves_alone() {
    let gate = Gate::default();
    let served = serve(gate.clone()).await;
    let mut runtime = connect(&served.address).await;
    let (staying, _sending) = invoke(&mut runtime, "wait").await;
    let staying = staying.await.unwrap();
    for _ in 0..20 {
        let (response, mut sending) = invoke(&mut runtime, "slam").await;
        timeout(LONG, response).await.unwrap().unwrap();
        sending.send_reset(h2::Reason::CANCEL);
    }
    // One handler still waits; the others are gone.
    gate.open.notify_waiters();
    assert!(timeout(LONG, read(staying)).await.unwrap() > 0);
}

#[tokio::test]
async fn a_silent_client_is_not_waited_for_and_a_handler_is() {
    let gate = Gate::default();
    let short = Duration::from_millis(50);
    let patience = Patience { greeting: short, head: short, journal: short };
    let served = serve_with(gate.clone(), patience).await;
    for said in ["", "PR", "PRI * HTTP/2.0\r\n", "GET /health HTTP/1.1\r\nhost: he"] {
        let mut quiet = TcpStream::connect(&served.address).await.unwrap();
        quiet.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Closed or reset: either way, it does not stay open.
        let _ = timeout(LONG, quiet.read_to_end(&mut answer)).await.unwrap();
    }
    let mut runtime = connect(&served.address).await;
    // A journal whose last byte is missing.
    let request = Request::post("http://endpoint/invoke/Waiter/wait")
        .header("content-type", ProtocolVersion::V6.content_type())
        .body(())
        .unwrap();
    let (response, mut sending) = runtime.send_request(request, false).unwrap();
    let journal = opening_of(&[input(ProtocolVersion::V6)]);
    sending.send_data(journal.slice(..journal.len() - 1), false).unwrap();
    let answer = timeout(LONG, response).await.unwrap().unwrap();
    assert_eq!(timeout(LONG, read(answer)).await.unwrap(), 0, "it ends without a message");
    // On the same connection, a handler may take much longer.
    let (response, _sending) = invoke(&mut runtime, "wait").await;
    let answer = response.await.unwrap();
    sleep(5 * short).await;
    gate.open.notify_one();
    assert!(read(answer).await > 0);
}
