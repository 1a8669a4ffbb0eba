//! Attacks on HTTP/2: one connection whose streams all send requests and read nothing, or are reset
//! at once. Also requests for other hosts.

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use h2::{Reason, client::SendRequest};
use http::{Request, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{site::Site, size};

const LARGE_BYTES: usize = 1 << 20;
/// Fewer than the concurrent streams that a connection may have.
const STREAMS_OF_ONE: usize = 200;

/// A connection whose streams have windows of this many bytes.
async fn connect(site: &Site, window_bytes: u32) -> SendRequest<Bytes> {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window_bytes);
    let (sender, connection) = builder.handshake(site.connect().await).await.unwrap();
    tokio::spawn(connection);
    sender.ready().await.unwrap()
}

fn request(site: &Site, handler: &str, length: usize) -> Request<()> {
    Request::post(format!("http://{}/Healthy/{handler}", site.ingress))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, length)
        .header("idempotency-key", "one")
        .body(())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_without_a_window_hold_little() {
    let site = Site::start(None).await;
    let (count, body) = (size("STREAMS", 60), LARGE_BYTES.to_string());
    let (mut idle, mut closed) = (Vec::new(), 0);
    let mut sender = connect(&site, 0).await;
    for number in 1..=count {
        if number % STREAMS_OF_ONE == 0 {
            sender = connect(&site, 0).await;
        }
        sender = sender.ready().await.unwrap();
        let (response, mut sending) =
            sender.send_request(request(&site, "give", body.len()), false).unwrap();
        sending.send_data(Bytes::from(body.clone()), true).unwrap();
        // The head arrives, and nothing else. When others wait for memory, connections that read
        // nothing are closed.
        match response.await {
            Ok(answer) => idle.push(answer),
            Err(_) => {
                closed += 1;
                sender = connect(&site, 0).await;
            }
        }
    }
    assert!(idle.iter().all(|answer| answer.status() == 200));
    let what = format!(
        "{count} streams without a window, results of 1 MB, {closed} times with a connection closed"
    );
    site.report("windows", &what).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_broken_off_at_once_stop_nobody() {
    let site = Site::start(None).await;
    let (count, mut closed) = (size("RESETS", 5000), 0);
    let mut sender = connect(&site, 1 << 16).await;
    for _ in 0..count {
        match sender.clone().ready().await {
            Ok(ready) => sender = ready,
            // The server has closed this connection because of the resets.
            Err(_) => {
                closed += 1;
                sender = connect(&site, 1 << 16).await;
            }
        }
        if let Ok((_, mut sending)) = sender.send_request(request(&site, "greet", 5), false) {
            sending.send_reset(Reason::CANCEL);
        }
    }
    let what = format!("{count} streams reset at once, {closed} times with a connection closed");
    site.report("resets", &what).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_other_hosts_are_refused_and_stop_nobody() {
    let site = Site::start(None).await;
    let count = size("HOSTS", 300);
    let long = format!("Host: {}.example\r\n", "a".repeat(8000));
    for number in 0..count {
        let (hosts, status) = match number % 4 {
            0 => ("Host: evil.example\r\n", "421"),
            1 => ("", "400"),
            2 => ("Host: a\r\nHost: b\r\n", "400"),
            _ => (long.as_str(), "421"),
        };
        let request = format!("GET /Healthy/greet HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let mut stream = site.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    site.report("hosts", &format!("{count} requests for other hosts")).await;
}

/// A request whose body does not arrive.
type Unended = (h2::client::ResponseFuture, h2::SendStream<Bytes>);

/// Starts requests with large heads on several connections.
pub(crate) async fn begin_heads(site: &Site, connections: usize, streams: usize) -> Vec<Unended> {
    let long = "x".repeat(28 << 10);
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut sender = connect(site, 1 << 16).await;
        for _ in 0..streams {
            sender = sender.ready().await.unwrap();
            let mut request = request(site, "greet", 5);
            request.headers_mut().insert("x-long", long.parse().unwrap());
            open.push(sender.send_request(request, false).unwrap());
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_whose_bodies_do_not_come_take_what_bodies_may() {
    let budget = if size("FULL", 0) == 1 { "" } else { "memory-budget-bytes = 268435456\n" };
    let site = Site::start_as(None, budget).await;
    let (connections, streams) = (size("HEADS", 12), 200);
    let mut open = begin_heads(&site, connections, streams).await;
    // They need far more memory than there is, so some are refused although no body ever arrives.
    let mut answers: FuturesUnordered<_> = open.iter_mut().map(|(response, _)| response).collect();
    while answers.next().await.unwrap().unwrap().status() != 503 {}
    drop(answers);
    let what = format!("{connections} connections of {streams} heads of 28 KB without a body");
    site.until_innocent_is_served().await;
    drop(open);
    site.report("heads", &what).await;
}
