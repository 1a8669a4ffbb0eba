//! What operators do to invocations, on the real binary with services on our SDK.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::sync::Arc;

use abide_sdk::prelude::*;
use anyhow::{Result as Any, ensure};
use e2e_client::{HttpResponse, Server};
use e2e_harness::{abide::Abide, process::Process};
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

use support::{serve_endpoint, start_again, start_under_settings};

/// Waits for a person; a mended build says more.
struct Desk {
    greeting: Option<&'static str>,
    begun: Arc<Notify>,
    may_go_on: Arc<Notify>,
}

#[service(retry(
    initial = "1ms",
    max_interval = "1ms",
    max_attempts = 2,
    on_max_attempts = "pause"
))]
impl Desk {
    /// Waits for an answer from outside.
    pub async fn wait(&self, ctx: &Context) -> Result<String> {
        let (id, answer) = ctx.awakeable::<String>();
        ctx.run("publish", || async { Ok(id.to_string()) }).await?;
        Ok(answer.await?)
    }

    /// Works until it may go on, and then waits for an answer from outside.
    pub async fn work(&self, ctx: &Context) -> Result<String> {
        let work = || async {
            self.begun.notify_one();
            self.may_go_on.notified().await;
            Ok("worked".to_owned())
        };
        let done = ctx.run("work", work).await?;
        ctx.sleep(std::time::Duration::from_millis(300)).await?;
        Ok(done)
    }

    /// Fails unless it is mended.
    pub async fn greet(&self, ctx: &Context) -> Result<String> {
        ctx.run("before", || async { Ok(()) }).await?;
        match self.greeting {
            Some(greeting) => Ok(greeting.to_owned()),
            None => Err(anyhow::anyhow!("no greeting is known").into()),
        }
    }
}

fn desk(greeting: Option<&'static str>) -> (Endpoint, Arc<Notify>, Arc<Notify>) {
    let (begun, may_go_on) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let desk = Desk { greeting, begun: Arc::clone(&begun), may_go_on: Arc::clone(&may_go_on) };
    (Endpoint::new().bind(desk), begun, may_go_on)
}

struct Node {
    process: Process,
    server: Server,
    abide: Abide,
    _dir: tempfile::TempDir,
}

impl Node {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (process, server, abide) = start_under_settings(dir.path(), &[]).await;
        Self { process, server, abide, _dir: dir }
    }

    async fn crash(&mut self) {
        self.process.kill().unwrap();
        self.process = start_again(&self.abide, &[]).await;
    }

    async fn query(&self, sql: &str) -> Vec<Value> {
        self.server.rows(sql).await.unwrap()
    }

    async fn has_status(&self, id: &str, wanted: &str) -> Any<()> {
        let sql = format!("select status from sys_invocation where id = '{id}'");
        let found = self.query(&sql).await;
        ensure!(found == [json!({ "status": wanted })], "{found:?} is not {wanted}");
        Ok(())
    }

    async fn until(&self, id: &str, wanted: &str) {
        self.server.eventually(|| self.has_status(id, wanted)).await.unwrap();
    }

    async fn operate(&self, id: &str, what: &str) -> HttpResponse {
        self.server.control(id, what).await.unwrap()
    }

    async fn result(&self, id: &str) -> Value {
        let answer = self.server.get(&format!("/restate/attach/{id}")).await.unwrap();
        answer.ok().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_stays_so_through_a_crash_and_goes_on_when_it_is_resumed() {
    let mut node = Node::start().await;
    let (endpoint, begun, may_go_on) = desk(None);
    serve_endpoint(&node.server, endpoint).await;

    let waiting = node.server.send_to("/Desk/wait", Value::Null).await.unwrap();
    let awakeable = node.server.eventually(|| async {
        let sql = format!("select value_utf8 from sys_journal where id = '{waiting}' and value_utf8 like '\"sign_%'");
        let found = node.query(&sql).await;
        ensure!(found.len() == 1, "{found:?}");
        Ok(found[0]["value_utf8"].as_str().unwrap().trim_matches('"').to_owned())
    });
    let awakeable = awakeable.await.unwrap();
    let paused = node.operate(&waiting, "pause?reason=too%20early").await.status;
    assert!([200, 202].contains(&paused.as_u16()), "it is suspended, or still streaming: {paused}");
    node.until(&waiting, "paused").await;

    let told = format!(
        "select paused_by, pause_reason, paused_waiting_for, paused_at is not null as is_dated \
         from sys_invocation where id = '{waiting}'"
    );
    let expected = json!({
        "paused_by": "local",
        "pause_reason": "too early",
        "paused_waiting_for": "signal 17",
        "is_dated": true,
    });
    assert_eq!(node.query(&told).await, [expected]);

    let working = node.server.send_to("/Desk/work", Value::Null).await.unwrap();
    begun.notified().await;
    assert_eq!(node.operate(&working, "pause").await.status, 202);
    may_go_on.notify_one();
    node.until(&working, "paused").await;
    assert_eq!(node.operate(&working, "pause").await.status, 200, "it is so already");

    node.crash().await;
    node.has_status(&waiting, "paused").await.unwrap();
    node.has_status(&working, "paused").await.unwrap();
    // What arrives meanwhile is kept.
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    assert_eq!(node.server.post(&path, &json!("hello")).await.unwrap().status, 202);
    node.has_status(&waiting, "paused").await.unwrap();
    for (id, result) in [(&waiting, "hello"), (&working, "worked")] {
        assert_eq!(node.operate(id, "resume").await.status, 200);
        assert_eq!(node.result(id).await, json!(result));
    }
    let events =
        format!("select event_type, event_json from sys_journal_events where id = '{waiting}'");
    let events = node.query(&events).await;
    let words: Vec<_> = events.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(words, ["Paused", "Resumed"]);
    assert!(events[0]["event_json"].as_str().unwrap().contains("too early"), "{events:?}");
    let audit = format!(
        "select operation, reason, status_before, outcome from sys_audit where invocation_id = '{working}' order by at"
    );
    let expected = [
        json!({ "operation": "pause", "reason": null, "status_before": "running", "outcome": "requested" }),
        json!({ "operation": "pause", "reason": null, "status_before": "paused", "outcome": "done" }),
        json!({ "operation": "resume", "reason": null, "status_before": "paused", "outcome": "done" }),
    ];
    assert_eq!(node.query(&audit).await, expected.map(without_nulls));
}

/// Rows leave out what is null.
fn without_nulls(row: Value) -> Value {
    let Value::Object(fields) = row else { return row };
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_resumed_on_a_mended_deployment() {
    let node = Node::start().await;
    serve_endpoint(&node.server, desk(None).0).await;
    let id = node.server.send_to("/Desk/greet", Value::Null).await.unwrap();
    node.until(&id, "paused").await;
    // It fails again where it is.
    assert_eq!(node.operate(&id, "resume?deployment=keep").await.status, 200);
    node.until(&id, "paused").await;
    serve_endpoint(&node.server, desk(Some("welcome")).0).await;
    for (deployment, status) in
        [("dp_1", 400), ("dp_11nGQpCRmau6ypL82KH2TnP", 400), ("latest", 200)]
    {
        let what = format!("resume?deployment={deployment}");
        assert_eq!(node.operate(&id, &what).await.status, status, "{deployment}");
    }
    assert_eq!(node.result(&id).await, json!("welcome"));
    assert_eq!(node.operate(&id, "resume").await.status, 409);
    assert_eq!(node.operate(&id, "pause").await.status, 409);
    assert_eq!(node.operate(&id, "purge-journal").await.status, 200);
    let left = format!("select count(*) as n from sys_journal where id = '{id}'");
    assert_eq!(node.query(&left).await, [json!({ "n": 0 })]);
    node.has_status(&id, "completed").await.unwrap();
    assert_eq!(node.operate(&id, "purge").await.status, 200);
    assert_eq!(node.operate(&id, "purge").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_started_says_so() {
    let node = Node::start().await;
    serve_endpoint(&node.server, desk(None).0).await;
    let later = node.server.call("/Desk/greet/send?delay=1h", Value::Null).await.unwrap();
    let later = later["invocationId"].as_str().unwrap().to_owned();
    for (what, status, says) in [
        ("pause", 409, "only what has started can be paused"),
        ("resume", 425, "it starts by itself"),
        ("purge-journal", 409, "only completed invocations"),
        ("cancel?reason=", 200, ""),
    ] {
        let answer = node.server.control(&later, what).await.unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{what}: {text}");
        assert!(text.contains(says), "{what}: {text}");
    }
    let long = format!("pause?reason={}", "x".repeat(1025));
    let answer = node.server.control(&later, &long).await.unwrap();
    assert_eq!(answer.status, 400);
}

/// A number that is looked after by one at a time.
struct Drawer {
    begun: Arc<Notify>,
    may_go_on: Arc<Notify>,
}

const COUNT: State<u64> = State::new("count");

#[object]
impl Drawer {
    /// Reads the number, and returns it once it may go on.
    pub async fn hold(&self, ctx: &ObjectContext) -> Result<u64> {
        let count = COUNT.get(ctx).await?.unwrap_or_default();
        let wait = || async {
            self.begun.notify_one();
            self.may_go_on.notified().await;
            Ok(())
        };
        ctx.run("wait", wait).await?;
        Ok(count)
    }

    /// Reads the number.
    pub async fn count(&self, ctx: &SharedObjectContext) -> Result<u64> {
        Ok(COUNT.get(ctx).await?.unwrap_or_default())
    }
}

impl Node {
    /// Edits state; returns the status and what the answer says.
    async fn edit(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let uri = format!("http://{}/services/{path}", self.abide.admin);
        let headers = [("content-type", "application/json")];
        let answer = self.server.send(method, &uri, &headers, body.to_string()).await.unwrap();
        (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_handler_sees_its_state_change_under_it() {
    let mut node = Node::start().await;
    let (begun, may_go_on) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let drawer = Drawer { begun: Arc::clone(&begun), may_go_on: Arc::clone(&may_go_on) };
    serve_endpoint(&node.server, Endpoint::new().bind(drawer)).await;
    serve_endpoint(&node.server, desk(None).0).await;

    let one = json!({ "object_key": "k", "new_state": { "count": [49], "note": "\"x\"" } });
    let (status, applied) = node.edit(Method::POST, "Drawer/state?reason=first", one).await;
    assert_eq!((status, &applied["outcome"]), (202, &json!("applied")), "{applied}");
    assert_eq!(node.server.call("/Drawer/k/count", Value::Null).await.unwrap(), json!(1));
    let patch = |count: &str, version: &Value| json!({ "object_key": "k", "set": { "count": count }, "clear": ["note"], "version": version });
    let stale = json!("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    let (status, conflict) = node.edit(Method::PATCH, "Drawer/state", patch("7", &stale)).await;
    assert_eq!(status, 409, "{conflict}");
    let version = applied["version"].as_str().unwrap();
    assert!(conflict["message"].as_str().unwrap().contains(version), "{conflict}");
    for (path, body, status) in [
        ("Desk/state", json!({ "object_key": "k", "set": { "a": "1" } }), 400),
        ("Nobody/state", json!({ "object_key": "k", "set": { "a": "1" } }), 404),
        ("Drawer/state", json!({ "object_key": "k" }), 400),
        ("Drawer/state", patch("7", &json!("7")), 400),
        ("Drawer/state", json!({ "object_key": "k", "set": { "a": 7 } }), 422),
    ] {
        let (found, says) = node.edit(Method::PATCH, path, body).await;
        assert_eq!(found, status, "{path}: {says}");
    }

    let holder = node.server.send_to("/Drawer/k/hold", Value::Null).await.unwrap();
    begun.notified().await;
    let (status, queued) =
        node.edit(Method::PATCH, "Drawer/state", patch("2", &applied["version"])).await;
    let expected = json!({ "outcome": "queued", "behind": holder });
    assert_eq!((status, queued), (202, expected));
    node.crash().await;
    begun.notified().await;
    assert_eq!(node.server.call("/Drawer/k/count", Value::Null).await.unwrap(), json!(1));
    may_go_on.notify_one();
    assert_eq!(node.result(&holder).await, json!(1), "it has read what was there when it began");
    assert_eq!(node.server.call("/Drawer/k/count", Value::Null).await.unwrap(), json!(2));

    let audit = "select operation, outcome, reason, target, invocation_id, version_before, changes_json from sys_audit where target_service_name = 'Drawer' order by at";
    let kept = node.query(audit).await;
    let said: Vec<_> = kept.iter().map(|row| (&row["operation"], &row["outcome"])).collect();
    let (replace, patch) = (json!("replace-state"), json!("patch-state"));
    let [done, conflict, queued] = ["done", "conflict", "queued"].map(|word| json!(word));
    let expected = [(&replace, &done), (&patch, &conflict), (&patch, &queued), (&patch, &done)];
    assert_eq!(said, expected);
    assert_eq!((&kept[0]["reason"], &kept[0]["target"]), (&json!("first"), &json!("Drawer/k")));
    assert_eq!(kept[1]["version_before"], applied["version"]);
    assert_eq!(kept[2]["invocation_id"], json!(holder));
    let changes: Value = serde_json::from_str(kept[3]["changes_json"].as_str().unwrap()).unwrap();
    let expected = json!([
        { "key": "count", "before": "1", "after": "2" },
        { "key": "note", "before": "\"x\"", "after": null },
    ]);
    assert_eq!(changes, expected);
}
