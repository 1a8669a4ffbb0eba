//! No service, endpoint or key may take what others need.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use abide_sdk::prelude::*;
use e2e_client::Server;
use e2e_harness::process::Process;
use http::Method;
use protocol::{
    AwakeableId, InvocationId, PartitionKey, discovery::ServiceType, wire::MessageType,
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore, time::timeout};

use support::{
    Hog,
    raw::{RawService, head_of, speak},
    serve_endpoint, start_with,
};

/// Shorter than the minute after which an idle attempt is suspended, and an incomplete message is
/// abandoned.
const SOON: Duration = Duration::from_secs(45);
/// Shorter than the time after which an incomplete body is abandoned.
const SOONER: Duration = Duration::from_secs(20);
/// Close to the largest message or body, in bytes.
const LARGE_BYTES: usize = 31 << 20;

struct Healthy;

#[service]
impl Healthy {
    pub async fn greet(&self, _ctx: &Context, name: String) -> Result<String> {
        Ok(format!("hello {name}"))
    }

    /// Returns this many bytes.
    pub async fn give(&self, _ctx: &Context, bytes: u64) -> Result<Raw> {
        Ok(Raw(vec![7; usize::try_from(bytes).unwrap_or_default()].into()))
    }

    /// Waits for another handler, and holds its permit in the meantime.
    pub async fn outer(&self, ctx: &Context, name: String) -> Result<String> {
        Ok(Healthy::call().greet(ctx, name).await?)
    }
}

async fn with_places(dir: &std::path::Path, places: usize) -> (Process, Server) {
    let config = dir.join("abide.toml");
    fs::write(&config, format!("attempts-max = {places}\n")).unwrap();
    start_with(dir, &[&format!("--config={}", config.display())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_make_room_for_their_callees() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = with_places(dir.path(), 10).await;
    serve_endpoint(&server, Endpoint::new().bind(Healthy)).await;
    let calls = (0..40).map(|number| {
        let server = server.clone();
        async move { server.call("/Healthy/outer", json!(number.to_string())).await.unwrap() }
    });
    let answers = timeout(SOON, futures::future::join_all(calls)).await;
    let answers = answers.expect("they wait for each other");
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, json!(format!("hello {number}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hangs_leaves_places_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = with_places(dir.path(), 20).await;
    let entered = Arc::new(Semaphore::new(0));
    serve_endpoint(&server, Endpoint::new().bind(Hog { entered: Arc::clone(&entered) })).await;
    serve_endpoint(&server, Endpoint::new().bind(Healthy)).await;
    for _ in 0..100 {
        server.send_to("/Hog/hang", json!(null)).await.unwrap();
    }
    // Wait until as many of them hang as get a permit.
    let _all = entered.acquire_many(16).await.unwrap();
    let greeted = timeout(SOON, server.call("/Healthy/greet", json!("you"))).await;
    assert_eq!(greeted.expect("there is no place for it").unwrap(), json!("hello you"));
    let called = timeout(SOON, server.call("/Healthy/outer", json!("all"))).await;
    assert_eq!(called.expect("there is no place for it").unwrap(), json!("hello all"));
}

const SLOW: RawService = RawService { ty: ServiceType::Service, service: "Slow", handler: "speak" };

/// Sends the beginning of a large message, and never the rest.
async fn speak_slowly(mut stream: TcpStream, spoken: Arc<Semaphore>) -> std::io::Result<()> {
    let mut frame = head_of(MessageType::OUTPUT_COMMAND, LARGE_BYTES);
    let length = frame.len() + LARGE_BYTES;
    frame.resize(1 << 20, 7);
    speak(&mut stream, length, &frame).await?;
    spoken.add_permits(1);
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_do_not_come_keep_no_others_out() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start_with(dir.path(), &[]).await;
    serve_endpoint(&server, Endpoint::new().bind(Healthy)).await;
    let spoken = Arc::new(Semaphore::new(0));
    let slow = Arc::clone(&spoken);
    SLOW.serve(&server, move |stream| speak_slowly(stream, Arc::clone(&slow))).await;
    for _ in 0..4 {
        server.send_to("/Slow/speak", json!(null)).await.unwrap();
    }
    let _slow = spoken.acquire_many(2).await.unwrap();
    for bytes in [100_000, 1_000_000, 5_000_000] {
        let given = timeout(SOON, server.post("/Healthy/give", &json!(bytes))).await;
        assert_eq!(given.expect("there is no memory for it").unwrap().body.len(), bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_do_not_come_keep_no_others_out() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start_with(dir.path(), &[]).await;
    let invocation = InvocationId { partition_key: PartitionKey(7), uuid: 9 };
    let url = format!(
        "{}/restate/awakeables/{}/resolve",
        server.ingress,
        AwakeableId { invocation, signal: 17 }
    );
    let authority = server.ingress.trim_start_matches("http://");
    let head = format!(
        "POST {url} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {LARGE_BYTES}\r\n\r\n"
    );
    let mut begun = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(authority).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&[b'x'; 300_000]).await.unwrap();
        begun.push(stream);
    }
    // One connection announces many small bodies, and sends none of them.
    let stream = TcpStream::connect(authority).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut announced = Vec::new();
    for _ in 0..200 {
        let request =
            http::Request::post(&url).header("content-length", 128 << 10).body(()).unwrap();
        let mut ready: h2::client::SendRequest<bytes::Bytes> =
            sender.clone().ready().await.unwrap();
        announced.push(ready.send_request(request, false).unwrap());
    }
    let resolved = timeout(SOONER, server.send(Method::POST, &url, &[], "\"yes\"")).await;
    assert_eq!(resolved.expect("there is no memory for it").unwrap().status, 202);
}
