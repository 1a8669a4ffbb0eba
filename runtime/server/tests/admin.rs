//! The admin API as operators and their tools see it: lists that end, refusals in one format, and
//! hints for requests to paths that do not exist.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use abide_sdk::prelude::*;
use e2e_client::{HttpResponse, Server};
use e2e_harness::process::Process;
use http::Method;
use serde_json::{Value, json};

use support::{serve_endpoint, start_with};

struct Named;

#[object]
impl Named {
    /// Fails with a message of this many bytes.
    pub async fn fail(&self, _ctx: &ObjectContext, bytes: usize) -> Result<()> {
        Err(Terminal::new(500, "f".repeat(bytes)).into())
    }

    /// Never ends, and keeps changing its status.
    pub async fn stumble(&self, _ctx: &ObjectContext) -> Result<()> {
        Err(std::io::Error::other("again").into())
    }
}

async fn named(dir: &Path) -> (Process, Server) {
    let (abide, server) = start_with(dir, &["--partitions=3"]).await;
    serve_endpoint(&server, Endpoint::new().bind(Named)).await;
    (abide, server)
}

async fn ask(server: &Server, method: Method, path: &str) -> HttpResponse {
    let uri = format!("{}{path}", server.admin);
    server.send(method, &uri, &[], "").await.unwrap()
}

async fn get(server: &Server, path: &str) -> Value {
    ask(server, Method::GET, path).await.ok().unwrap()
}

fn ids(page: &Value) -> Vec<String> {
    let all = page["invocations"].as_array().unwrap();
    all.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

async fn schedule(server: &Server, key: &str) -> String {
    let sent = server.call(&format!("/Named/{key}/fail/send?delay=1h"), json!(1)).await.unwrap();
    sent["invocationId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_by_pages_and_shows_each_invocation_once_whatever_happens_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = named(dir.path()).await;
    let mut expected = Vec::new();
    for n in 0..20 {
        expected.push(schedule(&server, &format!("waiting{n}")).await);
        if n % 4 == 0 {
            let path = format!("/Named/{n}/stumble");
            expected.push(server.send_to(&path, Value::Null).await.unwrap());
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let (mut after, mut pages) = (String::new(), 0);
    loop {
        let page = get(&server, &format!("/invocations?limit=4{after}")).await;
        let ids = ids(&page);
        for id in &ids {
            *seen.entry(id.clone()).or_default() += 1;
        }
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(ids.len(), 4, "the limit is for the page, and not for each partition");
        after = format!("&after={next}");
        // An invocation that was listed is removed, and a new one is created.
        let gone = ids.iter().find(|id| expected.contains(id)).unwrap();
        server.control(gone, "kill").await.unwrap().ok().unwrap();
        schedule(&server, &format!("new{pages}")).await;
        assert!(pages < 100, "the list does not end");
    }
    for id in &expected {
        assert_eq!(seen.get(id), Some(&1), "{id}");
    }
    assert!(seen.values().all(|count| *count == 1), "{seen:?}");
    let whole = get(&server, "/invocations").await;
    assert!(whole.get("next").is_none(), "{whole}");
    let none = get(&server, "/invocations?status=paused").await;
    assert_eq!(none, json!({ "invocations": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_the_beginning_of_long_texts_and_a_single_invocation_more() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = named(dir.path()).await;
    let (key, idempotency_key) = ("k".repeat(5000), "i".repeat(3000));
    let headers = [("idempotency-key", &*idempotency_key)];
    let path = format!("/Named/{key}/fail");
    let failed = server.post_with(&path, &json!(100_000), &headers).await.unwrap();
    assert_eq!(failed.status, 500);
    let answer = ask(&server, Method::GET, "/invocations?status=completed").await;
    assert!(answer.body.len() < 4 * 1024, "{} bytes", answer.body.len());
    let row = answer.ok().unwrap()["invocations"][0].clone();
    let texts = ["target", "idempotency_key", "completion_failure"];
    for text in texts {
        let text = row[text].as_str().unwrap();
        assert!(text.len() <= 1024 && text.contains("… [cut: this was "), "{text}");
    }
    let single = get(&server, &format!("/invocations/{}", row["id"].as_str().unwrap())).await;
    assert_eq!(single["target"], format!("Named/{key}/fail"));
    assert_eq!(single["idempotency_key"], idempotency_key);
    let failure = single["completion_failure"].as_str().unwrap();
    assert_eq!(failure.len(), 64 << 10);
    assert!(failure.ends_with("… [cut: this was 100006 bytes]"), "{}", &failure[65_000..]);
}

/// The message of a refusal. Checks that its body has only a message without Rust names, and a code
/// or null: clients read nothing else.
fn refusal(answer: &HttpResponse) -> String {
    let told = || String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.headers["content-type"], "application/json", "{}", told());
    let body = answer.json().unwrap();
    let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["message", "restate_code"], "{body}");
    let message = body["message"].as_str().unwrap().to_owned();
    assert!(!message.contains("::") && !message.contains("struct"), "{message}");
    assert!(message.len() <= 8192, "{} bytes", message.len());
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_json_and_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start_with(dir.path(), &[]).await;
    let json_type = Some("application/json");
    let long = format!(r#"{{"uri":"http://h","metadata":"{}"}}"#, "x".repeat(100_000));
    let too_long = "x".repeat((2 << 20) + 1);
    let header_of_a_number = r#"{"uri":"http://h","additional_headers":{"x-a":1}}"#;
    for (content_type, body, status, says) in [
        (json_type, "", 400, "the body is not JSON"),
        (json_type, r#"{"uri":"#, 400, "the body is not JSON"),
        (json_type, "{}", 422, "missing field `uri`"),
        (json_type, "[\"http://h\"]", 422, "the body is a list, expected an object"),
        (json_type, "7", 422, "the body: invalid type: integer `7`, expected an object"),
        (json_type, r#"{"uri":7}"#, 422, "'uri': invalid type: integer `7`, expected a string"),
        (
            json_type,
            header_of_a_number,
            422,
            "'additional_headers.x-a': invalid type: integer `1`, expected a string",
        ),
        (json_type, r#"{"uri":"http://h","force":"no"}"#, 422, "'force': invalid type"),
        (json_type, &long, 422, "'metadata': invalid type: string"),
        (json_type, &too_long, 413, "the body is larger than 2097152 bytes"),
        (Some("text/plain"), "{}", 415, "has the content type 'text/plain', expected application"),
        (None, "{}", 415, "has no content type, expected application/json"),
    ] {
        let headers: Vec<_> = content_type.map(|ty| ("content-type", ty)).into_iter().collect();
        let uri = format!("{}/deployments", server.admin);
        let answer = server.send(Method::POST, &uri, &headers, body.to_owned()).await.unwrap();
        assert_eq!(answer.status, status, "{says}: {}", String::from_utf8_lossy(&answer.body));
        let message = refusal(&answer);
        assert!(message.contains(says), "'{message}' does not say '{says}'");
    }
    let id = "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz";
    let x = "x".repeat(10_000);
    for (method, path, status, says) in [
        (Method::GET, format!("/{x}"), 404, "/openapi describes all of it"),
        (Method::GET, format!("/services/{x}"), 404, "GET /services lists what is registered"),
        (Method::GET, format!("/invocations?status={x}"), 400, "suspended, paused, completed"),
        (Method::GET, "/invocations?limit=0".to_owned(), 400, "'limit' is '0', expected a number"),
        (Method::GET, "/invocations?limit=1001".to_owned(), 400, "from 1 to 1000"),
        (Method::GET, "/invocations?limit=1&limit=2".to_owned(), 400, "duplicate field `limit`"),
        (Method::GET, "/invocations?after=soon".to_owned(), 400, "'after' is 'soon'"),
        (Method::GET, "/invocations?status=bad".to_owned(), 400, "expected one of scheduled"),
        (Method::DELETE, format!("/invocations/{id}?mode=Maybe"), 400, "expected cancel, kill or"),
        (Method::DELETE, "/deployments/dp_x?force=maybe".to_owned(), 400, "'force' in the query"),
        (
            Method::GET,
            "/deployments/x".to_owned(),
            400,
            "'x' is not a valid deployment id: it does",
        ),
        (Method::PATCH, "/invocations/x/kill".to_owned(), 400, "GET /invocations lists"),
        (Method::GET, format!("/invocations/{id}"), 404, "GET /invocations lists"),
        (Method::GET, "/services/%ff".to_owned(), 400, "the service in the path is not UTF-8"),
        (Method::GET, "/v1/services".to_owned(), 400, "use /v3 to /v4"),
        (Method::POST, "/v2".to_owned(), 400, "use /v3 to /v4"),
    ] {
        let answer = ask(&server, method, &path).await;
        assert_eq!(answer.status, status, "{path}: {}", String::from_utf8_lossy(&answer.body));
        let message = refusal(&answer);
        assert!(message.contains(says), "'{message}' does not say '{says}'");
    }
    // Unknown parameters are ignored.
    get(&server, "/invocations?unknown=1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_routes_list_the_known_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = named(dir.path()).await;
    let at_ingress = format!("services are called at the ingress, {}/", server.ingress);
    for (path, says) in [
        ("/nothing", "/openapi describes all of it"),
        ("/v4/nothing", "path '/v4/nothing' not found"),
        ("/v5/services", "the versions of this API are /v3 to /v4"),
        ("/ui", "there is no web UI"),
        ("/ui/assets/x.js", "there is no web UI"),
        ("/cluster-health", "ask /health"),
        ("/v3/cluster-health", "ask /health"),
        ("/restate/health", &at_ingress),
        ("/Named/key/fail", &at_ingress),
        ("/services/", "no path of this API ends with a slash"),
    ] {
        let answer = ask(&server, Method::GET, path).await;
        assert_eq!(answer.status, 404, "{path}");
        let message = refusal(&answer);
        assert!(message.contains(says), "'{message}' does not say '{says}'");
        assert!(message.contains("this API has /deployments, /services"), "{message}");
    }
    for (method, path, allow) in [
        (Method::PUT, "/services/Named", "GET,HEAD,PATCH"),
        (Method::POST, "/v4/deployments/dp_x", "GET,HEAD,PATCH,DELETE"),
        (Method::GET, "/invocations/x/kill", "PATCH"),
    ] {
        let answer = ask(&server, method.clone(), path).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["allow"]),
            (405, &allow.parse().unwrap())
        );
        let says = format!("it takes {}", allow.replace(',', ", "));
        let message = refusal(&answer);
        assert!(message.starts_with(method.as_str()) && message.ends_with(&says), "{message}");
    }
}
