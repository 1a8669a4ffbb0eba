//! What operators change of services and deployments that are registered: settings, addresses, and
//! when a deployment may go.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use abide_sdk::prelude::*;
use anyhow::ensure;
use e2e_client::{HttpResponse, Server};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use support::{start, start_again, start_under_settings};

const CALLBACK: State<String> = State::new("callback");

/// Waits for an answer from outside.
struct Approval;

#[workflow]
impl Approval {
    #[handler(abort_timeout = "9m")]
    pub async fn run(&self, ctx: &WorkflowContext) -> Result<String> {
        let (callback, answer) = ctx.awakeable::<String>();
        CALLBACK.set(ctx, callback);
        Ok(answer.await?)
    }

    pub async fn callback(&self, ctx: &SharedWorkflowContext) -> Result<Option<String>> {
        Ok(CALLBACK.get(ctx).await?)
    }
}

/// The same service without one of its handlers.
mod poorer {
    use abide_sdk::prelude::*;

    pub(super) struct Approval;

    #[workflow]
    impl Approval {
        pub async fn run(&self, _ctx: &WorkflowContext) -> Result<String> {
            Ok("at once".to_owned())
        }
    }
}

/// Says which endpoint it runs on.
struct Place(&'static str);

#[service]
impl Place {
    pub async fn name(&self, _ctx: &Context) -> Result<String> {
        Ok(self.0.to_owned())
    }
}

/// An endpoint that is served until it is stopped.
struct Served {
    uri: String,
    _stop: oneshot::Sender<()>,
}

async fn serve(endpoint: Endpoint) -> Served {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let end = async move { _ = stopped.await };
    tokio::spawn(endpoint.serve_listener(listener, end));
    Served { uri, _stop: stop }
}

async fn ask(server: &Server, method: Method, path: &str, body: &Value) -> HttpResponse {
    let uri = format!("{}{path}", server.admin);
    let (headers, body) = if body.is_null() {
        (&[][..], String::new())
    } else {
        (&[("content-type", "application/json")][..], body.to_string())
    };
    server.send(method, &uri, headers, body).await.unwrap()
}

async fn get(server: &Server, path: &str) -> Value {
    ask(server, Method::GET, path, &Value::Null).await.ok().unwrap()
}

/// Registers an endpoint; returns the path of its deployment.
async fn register(server: &Server, endpoint: &Served) -> String {
    let registered = server.register(&json!({ "uri": endpoint.uri })).await.unwrap();
    format!("/deployments/{}", registered.ok().unwrap()["id"].as_str().unwrap())
}

async fn configure(server: &Server, service: &str, settings: Value) -> Value {
    let path = format!("/services/{service}");
    ask(server, Method::PATCH, &path, &settings).await.ok().unwrap()
}

/// Has the workflow run for a key until nothing but the answer is missing, and nothing runs.
async fn suspended(server: &Server, key: &str) -> String {
    configure(server, "Approval", json!({ "inactivity_timeout": "0s" })).await;
    let id = server.send_to(&format!("/Approval/{key}/run"), Value::Null).await.unwrap();
    let is_suspended = async || {
        let found = get(server, &format!("/invocations/{id}")).await;
        ensure!(found["status"] == "suspended", "{found}");
        Ok(())
    };
    server.eventually(is_suspended).await.unwrap();
    id
}

/// Resolves what the workflow waits for, and returns its result.
async fn answer(server: &Server, key: &str, value: &str) -> Value {
    let callback = server.call(&format!("/Approval/{key}/callback"), Value::Null).await.unwrap();
    let path = format!("/restate/awakeables/{}/resolve", callback.as_str().unwrap());
    server.post(&path, &json!(value)).await.unwrap();
    server.get(&format!("/restate/workflow/Approval/{key}/attach")).await.unwrap().ok().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_apply_until_the_endpoint_is_discovered_again() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let endpoint = serve(Endpoint::new().bind(Place("here")).bind(Approval)).await;
    register(&server, &endpoint).await;
    let changed = json!({ "public": false, "journal_retention": "36h", "retry_policy": { "max_attempts": 3 } });
    let place = configure(&server, "Place", changed).await;
    assert_eq!((&place["public"], &place["journal_retention"]), (&json!(false), &json!("1d 12h")));
    assert_eq!(place["retry_policy"]["max_attempts"], 3);
    assert_eq!((&place["revision"], &place["info"]), (&json!(1), &Value::Null));
    assert_eq!(get(&server, "/services/Place").await, place);
    let hidden = server.post("/Place/name", &Value::Null).await.unwrap();
    hidden.expect_failure(400, "is private").unwrap();
    let as_it_was = configure(&server, "Place", json!({ "public": null })).await;
    assert_eq!(as_it_was["public"], false, "null leaves a setting as it is");
    configure(&server, "Place", json!({ "public": true })).await;
    assert_eq!(server.call("/Place/name", Value::Null).await.unwrap(), "here");

    // The handler's own setting comes first, and the answer says so.
    let body = json!({ "abort_timeout": "1m", "workflow_completion_retention": "PT2H" });
    let approval = configure(&server, "Approval", body).await;
    assert_eq!(approval["abort_timeout"], "1m");
    assert_eq!(approval["workflow_completion_retention"], "2h");
    let info = approval["info"].as_array().unwrap();
    assert_eq!(info.len(), 1, "{info:?}");
    let message = info[0]["message"].as_str().unwrap();
    assert!(message.starts_with("'abort_timeout' has no effect on 'run'"), "{message}");
    let refused = json!({ "workflow_completion_retention": "1d" });
    let refused = ask(&server, Method::PATCH, "/services/Place", &refused).await;
    refused.expect_failure(400, "service 'Place' is none").unwrap();
    let soon = json!({ "abort_timeout": "1" });
    let refused = ask(&server, Method::PATCH, "/services/Place", &soon).await;
    refused.expect_failure(422, "'abort_timeout': '1' is not a duration").unwrap();
    ask(&server, Method::PATCH, "/services/Nope", &json!({}))
        .await
        .expect_failure(404, "Nope")
        .unwrap();

    let anew = json!({ "uri": endpoint.uri, "force": true });
    server.register(&anew).await.unwrap().ok().unwrap();
    let place = get(&server, "/services/Place").await;
    assert_eq!((&place["journal_retention"], &place["revision"]), (&json!("1d"), &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_kept_for_as_long_as_the_setting_says() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let endpoint = serve(Endpoint::new().bind(poorer::Approval)).await;
    register(&server, &endpoint).await;
    let run = async |key: &str| {
        server.call(&format!("/Approval/{key}/run"), Value::Null).await.unwrap();
        let sql = format!(
            "select completion_retention from sys_invocation where target_service_key = '{key}'"
        );
        server.query(&sql).await.unwrap().ok().unwrap()["rows"][0]["completion_retention"].clone()
    };
    let before = run("before").await;
    configure(&server, "Approval", json!({ "workflow_completion_retention": "2h" })).await;
    let after = run("after").await;
    assert_ne!(before, after);
    assert!(after == json!("PT2H") || after == json!("PT7200S"), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_moves_keeps_its_invocations() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let old = serve(Endpoint::new().bind(Place("old")).bind(Approval)).await;
    let deployment = register(&server, &old).await;
    let id = suspended(&server, "k").await;
    let new = serve(Endpoint::new().bind(Place("new")).bind(Approval)).await;
    let before = get(&server, &deployment).await;
    assert_eq!(before["status"], "active");
    assert_eq!(before["pinned_invocations"], json!({ "Approval": { "suspended": 1 } }));

    let same = ask(&server, Method::PATCH, &deployment, &json!({})).await.ok().unwrap();
    assert_eq!(same, before);
    let preview = json!({ "uri": new.uri, "dry_run": true });
    let preview = ask(&server, Method::PATCH, &deployment, &preview).await.ok().unwrap();
    assert_eq!(preview["uri"], format!("{}/", new.uri));
    assert_eq!(get(&server, &deployment).await, before, "a dry run changes nothing");
    let headers = json!({ "uri": new.uri, "additional_headers": { "x-tenant": "blue" } });
    let moved = ask(&server, Method::PATCH, &deployment, &headers).await.ok().unwrap();
    assert_eq!((&moved["id"], &moved["services"]), (&before["id"], &before["services"]));
    assert_eq!(moved["additional_headers"], json!({ "x-tenant": "blue" }));
    assert_eq!(get(&server, &deployment).await, moved);
    drop(old);
    assert_eq!(server.call("/Place/name", Value::Null).await.unwrap(), "new");
    assert_eq!(answer(&server, "k", "yes").await, "yes");
    let ended = get(&server, &deployment).await;
    assert_eq!(ended["pinned_invocations"]["Approval"]["completed"], 2, "{ended}");
    assert_eq!(get(&server, &format!("/invocations/{id}")).await["status"], "completed");
    ask(&server, Method::PUT, &deployment, &json!({})).await.expect_failure(405, "PUT").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_lacks_what_invocations_need_is_refused_with_each_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let full = serve(Endpoint::new().bind(Place("full")).bind(Approval)).await;
    let deployment = register(&server, &full).await;
    suspended(&server, "k").await;
    let poor = serve(Endpoint::new().bind(poorer::Approval)).await;
    let before = get(&server, &deployment).await;
    let body = json!({ "uri": poor.uri });
    let refused = ask(&server, Method::PATCH, &deployment, &body).await;
    for reason in [
        "META0016",
        "handler 'Approval/callback' is missing (1 unfinished invocation of it has to finish here)",
        "service 'Place' is missing;",
    ] {
        refused.expect_failure(409, reason).unwrap();
    }
    assert_eq!(get(&server, &deployment).await, before);

    let other = register(&server, &poor).await;
    let refused = ask(&server, Method::PATCH, &deployment, &body).await;
    refused.expect_failure(409, &format!("META0004] deployment {}", &other[13..])).unwrap();
    ask(&server, Method::DELETE, &format!("{other}?force=true"), &Value::Null).await;

    let nobody = json!({ "uri": "http://127.0.0.1:1" });
    let refused = ask(&server, Method::PATCH, &deployment, &nobody).await;
    refused.expect_failure(500, "META0003").unwrap();
    let body = json!({ "uri": poor.uri, "overwrite": true });
    let overwritten = ask(&server, Method::PATCH, &deployment, &body).await.ok().unwrap();
    let message = overwritten["info"][0]["message"].as_str().unwrap();
    assert!(message.contains("service 'Place' is missing"), "{message}");
    assert_eq!(overwritten["services"].as_array().unwrap().len(), 1);
    let gone = server.post("/Place/name", &Value::Null).await.unwrap();
    gone.expect_failure(404, "Place").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_in_use_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (process, server, abide) = start_under_settings(dir.path(), &[]).await;
    let first = serve(Endpoint::new().bind(Approval)).await;
    let old = register(&server, &first).await;
    suspended(&server, "k").await;
    let refused = ask(&server, Method::DELETE, &old, &Value::Null).await;
    for reason in ["pinned to it are 1 (1 suspended)", "the latest deployment of 'Approval'"] {
        refused.expect_failure(409, reason).unwrap();
    }
    let second = serve(Endpoint::new().bind(Approval)).await;
    let new = register(&server, &second).await;
    assert_eq!(get(&server, &old).await["status"], "draining");
    let refused = ask(&server, Method::DELETE, &old, &Value::Null).await;
    refused.expect_failure(409, "pinned to it are 1 (1 suspended)").unwrap();
    assert!(!String::from_utf8_lossy(&refused.body).contains("the latest"), "not any more");
    // The counts are there after a restart.
    drop(process);
    let _process = start_again(&abide, &[]).await;
    let rows = "select id, status, pinned_unfinished, pinned_suspended, pinned_completed \
                from sys_deployment order by created_at";
    let rows = server.query(rows).await.unwrap().ok().unwrap()["rows"].clone();
    let row = |path: &str, status: &str, suspended: u64| {
        json!({
            "id": path["/deployments/".len()..], "status": status, "pinned_unfinished": suspended,
            "pinned_suspended": suspended, "pinned_completed": 0,
        })
    };
    assert_eq!(rows, json!([row(&old, "draining", 1), row(&new, "active", 0)]));
    assert_eq!(answer(&server, "k", "done").await, "done");
    assert_eq!(get(&server, &old).await["status"], "drained");
    let removed = ask(&server, Method::DELETE, &old, &Value::Null).await;
    assert_eq!(removed.status, StatusCode::ACCEPTED);
    assert_eq!(removed.json().unwrap(), json!({ "stranded_invocations": {}, "unserved": [] }));

    suspended(&server, "stranded").await;
    let forced = ask(&server, Method::DELETE, &format!("{new}?force=true"), &Value::Null).await;
    assert_eq!(forced.status, StatusCode::ACCEPTED);
    let stranded = json!({
        "stranded_invocations": { "Approval": { "suspended": 1 } },
        "unserved": ["Approval"],
    });
    assert_eq!(forced.json().unwrap(), stranded);
    ask(&server, Method::DELETE, &new, &Value::Null)
        .await
        .expect_failure(404, "not found")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_says_what_it_takes_away() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let full = serve(Endpoint::new().bind(Approval)).await;
    register(&server, &full).await;
    let poor = serve(Endpoint::new().bind(poorer::Approval)).await;
    for dry_run in [true, false] {
        let body = json!({ "uri": poor.uri, "dry_run": dry_run });
        let answer = server.register(&body).await.unwrap();
        assert_eq!(answer.status, StatusCode::CREATED, "a handler may go");
        let message = answer.ok().unwrap()["info"][0]["message"].to_string();
        assert!(message.contains("handler 'Approval/callback' is missing"), "{message}");
    }
}

/// Has arguments with a schema.
struct Sum;

#[service]
impl Sum {
    pub async fn of(&self, _ctx: &Context, numbers: Vec<u64>) -> Result<u64> {
        Ok(numbers.iter().sum())
    }

    #[handler(input_validation = "off")]
    pub async fn unchecked(&self, _ctx: &Context, numbers: Vec<u64>) -> Result<u64> {
        Ok(numbers.iter().sum())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_does_not_match_its_schema_is_no_invocation() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let endpoint = serve(Endpoint::new().bind(Sum)).await;
    register(&server, &endpoint).await;
    for path in ["/Sum/of", "/restate/call/Sum/of", "/Sum/of/send"] {
        let refused = server.post(path, &json!([1, "2"])).await.unwrap();
        refused.expect_failure(400, "schema of 'Sum/of' at '/1': want integer").unwrap();
        assert_eq!(refused.json().unwrap()["source"], "ingress");
    }
    let count = "select count(*) as count from sys_invocation";
    let count = server.query(count).await.unwrap().ok().unwrap();
    assert_eq!(count["rows"][0]["count"], 0);
    assert_eq!(server.call("/Sum/of", json!([1, 2])).await.unwrap(), 3);
    let unchecked = server.post("/Sum/unchecked", &json!([1, "2"])).await.unwrap();
    assert_eq!(unchecked.json().unwrap()["source"], "invocation", "the SDK refuses it");
}

/// What a handler takes changes with a new version of its service.
struct Numbers;

#[service(name = "Sum")]
impl Numbers {
    pub async fn of(&self, _ctx: &Context, numbers: Vec<String>) -> Result<u64> {
        Ok(numbers.len() as u64)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_accepted_is_answered_after_its_schema_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let old = serve(Endpoint::new().bind(Sum)).await;
    register(&server, &old).await;
    let ask = async |key: &str, path: &str| {
        let key = [("idempotency-key", key)];
        server.post_with(path, &json!([1, 2]), &key).await.unwrap()
    };
    assert_eq!(ask("k", "/Sum/of").await.ok().unwrap(), 3);
    let new = serve(Endpoint::new().bind(Numbers)).await;
    register(&server, &new).await;
    assert_eq!(ask("k", "/Sum/of").await.ok().unwrap(), 3, "it is answered as before");
    let again = ask("k", "/Sum/of/send").await.ok().unwrap();
    assert_eq!(again["status"], "PreviouslyAccepted");
    let refused = ask("new", "/Sum/of").await;
    refused.expect_failure(400, "schema of 'Sum/of' at '/0': want string").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_described_with_the_routes_that_reach_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    let endpoint = serve(Endpoint::new().bind(Place("here")).bind(Approval)).await;
    register(&server, &endpoint).await;
    let document = get(&server, "/services/Place/openapi").await;
    let ingress = document["servers"][0]["url"].as_str().unwrap();
    let path = "/restate/call/Place/name";
    assert!(document["paths"][path]["post"].is_object(), "{document}");
    let answer = server.send(Method::POST, &format!("{ingress}{path}"), &[], "").await.unwrap();
    assert_eq!(answer.ok().unwrap(), "here");
    let nope = ask(&server, Method::GET, "/services/Nope/openapi", &Value::Null).await;
    nope.expect_failure(404, "service 'Nope' not found").unwrap();
}
