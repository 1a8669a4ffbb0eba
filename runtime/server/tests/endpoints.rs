//! Endpoints that send invalid data, fail, hang or break off. Each fault is reported with its
//! reason, is retried, and affects no other invocation. The endpoint here is scripted and recovers
//! after the first attempts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use e2e_client::Server;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame as BodyFrame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use protocol::{
    ProtocolVersion,
    journal::{Command, NamedCommand},
    wire::{
        self, MessageType,
        control::{AttemptError, End, ErrorBehavior},
        frame::Frame,
    },
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use support::start;

/// Attempts that fail before the endpoint recovers.
const ILL: u32 = 2;

/// The attempts that its retry policy allows the handler that is always busy.
const ATTEMPTS_MAX: u32 = 3;

type HttpResponse = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// A body that sends some bytes and then ends, breaks off, or hangs.
struct Script {
    first: Option<Bytes>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    End,
    Break,
    Hang,
}

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, std::io::Error>>> {
        match (self.first.take(), self.then) {
            (Some(bytes), _) => Poll::Ready(Some(Ok(BodyFrame::data(bytes)))),
            (None, Then::End) => Poll::Ready(None),
            (None, Then::Break) => Poll::Ready(Some(Err(std::io::Error::other("cut")))),
            (None, Then::Hang) => Poll::Pending,
        }
    }
}

fn answer(status: u16, content_type: &str, first: Bytes, then: Then) -> HttpResponse {
    let body = Script { first: Some(first), then };
    let builder = Response::builder().status(status).header("content-type", content_type);
    builder.body(body.boxed_unsync()).unwrap()
}

fn stream(frames: &[Frame], then: Then) -> HttpResponse {
    let mut bytes = BytesMut::new();
    frames.iter().for_each(|frame| frame.encode(&mut bytes));
    answer(200, ProtocolVersion::V7.content_type(), bytes.freeze(), then)
}

fn output(value: &'static str) -> Frame {
    let output = Command::Output { result: Ok(Bytes::from_static(value.as_bytes())) };
    let entry = wire::command::encode(&NamedCommand::from(output), ProtocolVersion::V7);
    Frame::new(entry.ty, entry.body)
}

const HANDLERS: [&str; 13] = [
    "well",
    "busy_for_ever",
    "status500",
    "status404",
    "status429",
    "wrong_type",
    "breaks_off",
    "ends_early",
    "garbage",
    "unknown_message",
    "end_without_output",
    "state_in_a_service",
    "sdk_error",
];

/// The response of a handler that fails.
fn ill(handler: &str) -> HttpResponse {
    let text = |status, text: &'static str| {
        answer(status, "text/plain", Bytes::from_static(text.as_bytes()), Then::End)
    };
    match handler {
        "status500" => text(500, "no luck"),
        "status404" => text(404, ""),
        "status429" | "busy_for_ever" => {
            let mut response = text(429, "");
            response.headers_mut().insert("retry-after", "0".parse().unwrap());
            response
        }
        "wrong_type" => text(200, "hello"),
        "breaks_off" => stream(&[], Then::Break),
        "ends_early" => stream(&[], Then::End),
        "garbage" => {
            let frame = Frame::new(MessageType::OUTPUT_COMMAND, Bytes::from_static(b"\xff\xff"));
            stream(&[frame], Then::Hang)
        }
        "unknown_message" => stream(&[Frame::new(MessageType(0x01F0), Bytes::new())], Then::Hang),
        "end_without_output" => stream(&[End.encode()], Then::Hang),
        "state_in_a_service" => {
            let entry = wire::command::encode(
                &NamedCommand::from(Command::ClearAllState),
                ProtocolVersion::V7,
            );
            stream(&[Frame::new(entry.ty, entry.body)], Then::Hang)
        }
        "sdk_error" => {
            let error = AttemptError {
                code: 503,
                message: "the user's code failed".to_owned(),
                stacktrace: "line 7".to_owned(),
                related_command: None,
                next_retry_delay_ms: Some(1),
                behavior: ErrorBehavior::Retry,
            };
            stream(&[error.encode()], Then::End)
        }
        other => panic!("{other} is never ill"),
    }
}

/// The number of attempts of each handler so far.
type Attempts = Arc<Mutex<HashMap<String, u32>>>;

async fn serve(listener: TcpListener, attempts: Attempts) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let attempts = Arc::clone(&attempts);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let attempts = Arc::clone(&attempts);
            async move { Ok::<_, Infallible>(respond(&attempts, request.uri().path())) }
        });
        tokio::spawn(
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn respond(attempts: &Mutex<HashMap<String, u32>>, path: &str) -> HttpResponse {
    if path == "/discover" {
        let handlers: Vec<Value> = HANDLERS
            .iter()
            .map(|name| match *name {
                "busy_for_ever" => json!({
                    "name": name, "retryPolicyInitialInterval": 1,
                    "retryPolicyMaxAttempts": ATTEMPTS_MAX, "retryPolicyOnMaxAttempts": "PAUSE",
                }),
                _ => json!({ "name": name, "retryPolicyInitialInterval": 300 }),
            })
            .collect();
        let manifest = json!({
            "protocolMode": "BIDI_STREAM", "minProtocolVersion": 5, "maxProtocolVersion": 7,
            "services": [{ "name": "Liar", "ty": "SERVICE", "handlers": handlers }],
        });
        let content_type = "application/vnd.restate.endpointmanifest.v4+json";
        return answer(200, content_type, manifest.to_string().into(), Then::End);
    }
    let handler = path.rsplit('/').next().unwrap();
    let mut attempts = attempts.lock().unwrap();
    let attempt = attempts.entry(handler.to_owned()).or_default();
    *attempt += 1;
    if handler == "well" || (*attempt > ILL && handler != "busy_for_ever") {
        stream(&[output("\"well\""), End.encode()], Then::End)
    } else {
        ill(handler)
    }
}

async fn endpoint() -> SocketAddr {
    counting_endpoint().await.0
}

async fn counting_endpoint() -> (SocketAddr, Attempts) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, attempts) = (listener.local_addr().unwrap(), Attempts::default());
    tokio::spawn(serve(listener, Arc::clone(&attempts)));
    (address, attempts)
}

async fn register(server: &Server, uri: &str) -> e2e_client::HttpResponse {
    server.register(&json!({ "uri": uri })).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_shown_and_retried_and_harms_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let address = endpoint().await;
    register(&server, &format!("http://{address}")).await.ok().unwrap();
    for (handler, reason) in [
        ("status500", "no luck"),
        ("status404", "does not know the service or handler"),
        ("status429", "busy"),
        ("wrong_type", "content type \"text/plain\""),
        ("breaks_off", "the connection to the endpoint broke"),
        ("ends_early", "closed the stream before the attempt ended"),
        ("garbage", "cannot be read"),
        ("unknown_message", "is not a message that an SDK may send"),
        ("end_without_output", "End without a preceding Output"),
        ("state_in_a_service", "may not change state"),
        ("sdk_error", "the user's code failed"),
    ] {
        let id = server.send_to(&format!("/Liar/{handler}"), Value::Null).await.unwrap();
        // It has a retry delay of its own, too short to observe the failure.
        if handler != "sdk_error" {
            let uri = format!("{}/invocations/{id}", server.admin);
            let seen = server
                .eventually(|| async {
                    let view = server.send(Method::GET, &uri, &[], "").await?.ok()?;
                    let message = view["last_failure"]["message"].as_str().unwrap_or_default();
                    anyhow::ensure!(message.contains(reason), "{handler}: {view}");
                    Ok(view)
                })
                .await
                .unwrap();
            assert!(seen["retry_count"].as_u64().unwrap() >= 1, "{seen}");
        }
        assert_eq!(server.call("/Liar/well", Value::Null).await.unwrap(), json!("well"));
        let attach = format!("/restate/invocation/{id}/attach");
        assert_eq!(server.get(&attach).await.unwrap().ok().unwrap(), json!("well"), "{handler}");
    }
}

/// Waits until `GET /invocations/{id}` meets a condition, and returns the response.
async fn seen(server: &Server, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let uri = format!("{}/invocations/{id}", server.admin);
    let is_so = &is_so;
    let look = || async {
        let view = server.send(Method::GET, &uri, &[], "").await?.ok()?;
        anyhow::ensure!(is_so(&view), "{view}");
        Ok(view)
    };
    server.eventually(look).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_endpoint_that_asks_for_no_pause_has_as_many_attempts_as_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let (address, attempts) = counting_endpoint().await;
    register(&server, &format!("http://{address}")).await.ok().unwrap();
    let id = server.send_to("/Liar/busy_for_ever", Value::Null).await.unwrap();
    let view = seen(&server, &id, |view| view["status"] == "paused").await;
    assert!(view["last_failure"]["message"].as_str().unwrap().contains("busy"), "{view}");
    assert_eq!(attempts.lock().unwrap()["busy_for_ever"], ATTEMPTS_MAX);
}

/// An endpoint that stops after it has been registered.
async fn gone_endpoint(server: &Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(serve(listener, Attempts::default()));
    register(server, &format!("http://{address}")).await.ok().unwrap();
    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_there_uses_no_attempt_up_and_is_met_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let address = gone_endpoint(&server).await;
    let id = server.send_to("/Liar/busy_for_ever", Value::Null).await.unwrap();
    let more = u64::from(ATTEMPTS_MAX) + 1;
    let view = seen(&server, &id, |view| view["retry_count"].as_u64() >= Some(more)).await;
    assert!(["backing-off", "running"].contains(&view["status"].as_str().unwrap()), "{view}");
    let message = view["last_failure"]["message"].as_str().unwrap();
    assert!(message.contains("cannot be reached"), "{view}");
    let (listener, attempts) = (TcpListener::bind(address).await.unwrap(), Attempts::default());
    tokio::spawn(serve(listener, Arc::clone(&attempts)));
    seen(&server, &id, |view| view["status"] == "paused").await;
    assert_eq!(attempts.lock().unwrap()["busy_for_ever"], ATTEMPTS_MAX, "all that its policy has");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_counts_attempts_that_find_no_endpoint() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("abide.toml");
    std::fs::write(&config, "count-unsent-attempts = true").unwrap();
    let flag = format!("--config={}", config.display());
    let (_abide, server) = support::start_with(dir.path(), &[&flag]).await;
    gone_endpoint(&server).await;
    let id = server.send_to("/Liar/busy_for_ever", Value::Null).await.unwrap();
    let view = seen(&server, &id, |view| view["status"] == "paused").await;
    assert_eq!(view["retry_count"], ATTEMPTS_MAX - 1, "the last one is not tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_registered_is_refused_with_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (uri, status, code) in [
        (format!("http://{nobody}"), 500, "META0003"),
        (format!("{}/nothing-here", server.admin), 500, "META0003"),
        ("not-an-address".to_owned(), 400, "absolute"),
    ] {
        let answer = register(&server, &uri).await;
        answer.expect_failure(status, code).unwrap();
    }
}

/// A body over the limit is refused before it is read.
#[tokio::test(flavor = "multi_thread")]
async fn oversize_bodies_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let address = endpoint().await;
    register(&server, &format!("http://{address}")).await.ok().unwrap();
    // The response arrives while the body has yet to be sent.
    let address = server.ingress.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = "POST /Liar/well HTTP/1.1\r\nhost: abide\r\ncontent-type: text/plain\r\n\
                content-length: 34603008\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(server.call("/Liar/well", Value::Null).await.unwrap(), json!("well"));
}
