//! Registering endpoints: concurrent registrations, refusals, and their messages.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod endpoint;
#[path = "../support/mod.rs"]
mod support;
mod tls;

use std::time::Duration;

use e2e_client::{HttpResponse, Server};
use futures::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use endpoint::{Discovery, Endpoint};
use support::start;

const SOON: Duration = Duration::ZERO;

async fn register(server: &Server, body: Value) -> HttpResponse {
    server.register(&body).await.unwrap()
}

async fn get(server: &Server, path: &str) -> Value {
    let uri = format!("{}{path}", server.admin);
    server.send(Method::GET, &uri, &[], "").await.unwrap().ok().unwrap()
}

fn offers(name: &str) -> Discovery {
    Discovery::Offers(name.to_owned(), SOON)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_that_many_register_at_once_is_one_deployment() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    // Slow enough that all requests have checked the registry before the first one is registered.
    let slow = Discovery::Offers("Slow".to_owned(), Duration::from_millis(300));
    let endpoint = Endpoint::serve(slow, None).await;
    let body = json!({ "uri": format!("http://{}", endpoint.address) });
    let answers = join_all((0..8).map(|_| register(&server, body.clone()))).await;
    let created = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    let mut ids: Vec<_> =
        answers.iter().map(|answer| answer.ok().unwrap()["id"].to_string()).collect();
    ids.dedup();
    assert_eq!((created, ids.len()), (1, 1), "{ids:?}");
    let deployments = get(&server, "/deployments").await;
    assert_eq!(deployments["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(deployments["deployments"][0]["services"][0]["revision"], 1);
    // Another spelling of the same address is the same deployment.
    let shouted = json!({ "uri": format!("HTTP://{}/", endpoint.address) });
    let again = register(&server, shouted.clone()).await;
    assert_eq!(
        (again.status, again.ok().unwrap()["id"].to_string()),
        (StatusCode::OK, ids[0].clone())
    );
    let mut forced = shouted;
    forced["force"] = json!(true);
    let forced = register(&server, forced).await;
    assert_eq!(forced.status, StatusCode::OK);
    assert_eq!(forced.ok().unwrap()["id"].to_string(), ids[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_stays_behind_the_path_that_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let endpoint = Endpoint::serve(offers("Asked"), None).await;
    let uri = format!("http://{}/p?x=1", endpoint.address);
    register(&server, json!({ "uri": uri })).await.ok().unwrap();
    let shown = get(&server, "/deployments").await;
    assert_eq!(shown["deployments"][0]["uri"], format!("http://{}/p/?x=1", endpoint.address));
    assert_eq!(server.call("/Asked/well", Value::Null).await.unwrap(), json!("well"));
    assert_eq!(endpoint.asked(), ["/p/discover?x=1", "/p/invoke/Asked/well?x=1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_are_as_good_as_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let endpoint = Endpoint::serve(offers("Nothing"), None).await;
    let body = json!({
        "uri": format!("http://{}", endpoint.address), "additional_headers": null, "metadata": null,
        "use_http_11": null, "force": null, "breaking": null, "dry_run": null,
    });
    assert_eq!(register(&server, body).await.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_by_the_field_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let headers = |name: &str, value: &str| json!({ "uri": "http://h", "additional_headers": { name: value } });
    let large = "x".repeat(70_000);
    for (body, says) in [
        (json!({ "uri": "h:9080" }), "'uri' is 'h:9080', which is not an absolute http://"),
        (
            json!({ "uri": "http://h:99999" }),
            "'uri' has the port '99999', expected a number from 1",
        ),
        (json!({ "uri": "http://h:0" }), "'uri' has the port '0'"),
        (json!({ "uri": "http://a..b" }), "'uri' has the host 'a..b'"),
        (json!({ "uri": "http://:9080" }), "'uri' has the host ''"),
        (json!({ "uri": "http://h#f" }), "'uri' has a fragment ('#f')"),
        (json!({ "uri": "http://me:secret@h" }), "put it into 'additional_headers'"),
        (json!({ "uri": format!("http://h/{large}") }), "more than the limit of 4096"),
        (
            headers("content-type", "x"),
            "'additional_headers' has 'content-type', which the runtime",
        ),
        (headers("Content-Length", "1"), "'additional_headers' has 'Content-Length'"),
        (headers("a b", "x"), "'additional_headers' has 'a b', whose name or value"),
        (
            headers("a", &large),
            "'additional_headers' has 70001 bytes in total, more than the limit of 8192",
        ),
        (json!({ "uri": "http://h", "metadata": { "a": large } }), "'metadata' has 70001 bytes"),
    ] {
        register(&server, body).await.expect_failure(400, says).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_offers_too_much_is_told_how_much_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let long = Endpoint::serve(offers(&"x".repeat(10 << 20)), None).await;
    let answer = register(&server, json!({ "uri": format!("http://{}", long.address) })).await;
    answer.expect_failure(400, "has 10485760 bytes, more than the limit of 255").unwrap();
    assert!(answer.body.len() < 400, "it is not shown in full");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_reported_with_where_it_points() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let elsewhere = Discovery::PointsTo("https://elsewhere/discover".to_owned());
    let endpoint = Endpoint::serve(elsewhere, None).await;
    let answer = register(&server, json!({ "uri": format!("http://{}", endpoint.address) })).await;
    let says =
        "responded with 307 and redirects to 'https://elsewhere/discover'; register that address";
    answer.expect_failure(500, says).unwrap();
    assert_eq!(endpoint.asked().len(), 1, "it will not change its mind");
}

/// If nothing listens, another version of HTTP does not help. If a server breaks the connection
/// off, it may.
#[tokio::test(flavor = "multi_thread")]
async fn http_1_is_only_spoken_of_where_it_can_help() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let body = json!({ "uri": format!("http://{address}") });
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, refusal).await;
        }
    });
    let answer = register(&server, body.clone()).await;
    answer.expect_failure(500, "META0014").unwrap();
    answer.expect_failure(500, "use_http_11").unwrap();
    serving.abort();
    let _ = serving.await;
    let answer = register(&server, body).await;
    answer.expect_failure(500, "META0003").unwrap();
    assert!(!String::from_utf8_lossy(&answer.body).contains("http_11"));
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_deployment_promises_no_way_back() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let endpoint = Endpoint::serve(offers("Gone"), None).await;
    let body = json!({ "uri": format!("http://{}", endpoint.address) });
    let id = register(&server, body.clone()).await.ok().unwrap()["id"].as_str().unwrap().to_owned();
    let uri = format!("{}/deployments/{id}", server.admin);
    let warned = server.send(Method::DELETE, &uri, &[], "").await.unwrap();
    warned.expect_failure(409, "another id when it is registered again").unwrap();
    let gone = server.send(Method::DELETE, &format!("{uri}?force=true"), &[], "").await.unwrap();
    assert_eq!(gone.status, StatusCode::ACCEPTED);
    assert_ne!(register(&server, body).await.ok().unwrap()["id"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_has_the_type_that_the_revision_says_that_made_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let key = [("idempotency-key", "k")];
    let call = |key: &'static [(&str, &str)]| server.post_with("/Typed/well", &Value::Null, key);
    let kept = "/restate/invocation/Typed/well/k";
    for (content_type, own) in [("text/old", "text/old"), ("text/new", "text/new")] {
        let types = Discovery::Types("Typed".to_owned(), content_type);
        let endpoint = Endpoint::serve(types, None).await;
        register(&server, json!({ "uri": format!("http://{}", endpoint.address) }))
            .await
            .ok()
            .unwrap();
        let answers = [
            (call(&[]).await, own),
            (server.post_with("/Typed/well", &Value::Null, &key).await, "text/old"),
            (server.get(&format!("{kept}/attach")).await, "text/old"),
            (server.get(&format!("{kept}/output")).await, "text/old"),
        ];
        for (answer, expected) in answers {
            let answer = answer.unwrap();
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.headers["content-type"], expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_converted_by_the_endpoint_that_wrote_them() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let endpoint = Endpoint::serve(offers("Asked"), None).await;
    let uri = format!("http://{}/p?x=1", endpoint.address);
    register(&server, json!({ "uri": uri })).await.ok().unwrap();
    let path = "/internal/services/Asked/serdes/decode/well%20done/input";
    let to = format!("{}{path}", server.admin);
    let converted = server.send(Method::POST, &to, &[], "payload").await.unwrap();
    assert_eq!(converted.status, StatusCode::OK);
    assert!(!converted.body.is_empty(), "it is what the endpoint has answered");
    let asked = endpoint.asked();
    assert_eq!(asked.last().unwrap(), "/p/serdes/Asked/decode/well%20done/input?x=1");
    let to = format!("{}{}", server.admin, path.replace("Asked", "Nobody"));
    server.send(Method::POST, &to, &[], "").await.unwrap().expect_failure(404, "Nobody").unwrap();
}

/// The command line shows this message to its users.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_yet_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let ask = async |method, path: &str| {
        let uri = format!("{}{path}", server.admin);
        server.send(method, &uri, &[], "").await.unwrap()
    };
    let rules = ask(Method::GET, "/v4/limits/rules").await;
    rules.expect_failure(501, "this server does not support it yet: flow control").unwrap();
    ask(Method::GET, "/nothing").await.expect_failure(404, "path '/nothing' not found").unwrap();
    ask(Method::GET, "/v1/services").await.expect_failure(400, "use /v3 to /v4").unwrap();
}
