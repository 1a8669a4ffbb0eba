//! The data directory of the real binary: what it promises, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use abide_sdk::prelude::*;
use http::Method;
use interop_suite::client::Server;
use protocol::{InvocationId, ids::Derivation};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use support::start;

struct Order;

#[workflow]
impl Order {
    pub async fn run(&self, _ctx: &WorkflowContext, what: String) -> Result<String> {
        Ok(format!("{what} is ordered"))
    }
}

struct Desk;

#[service]
impl Desk {
    /// Orders by name, and asks by name what came of it.
    pub async fn order(&self, ctx: &Context, key: String) -> Result<String> {
        Order::key(key.clone()).send().run(ctx, "tea".to_owned());
        Ok(Order::key(key).attach(ctx).await?)
    }
}

async fn register(server: &Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let endpoint = Endpoint::new().bind(Order).bind(Desk);
    tokio::spawn(endpoint.serve_listener(listener, std::future::pending()));
    let deployments = format!("{}/deployments", server.admin);
    let headers = [("content-type", "application/json")];
    let body = json!({ "uri": uri }).to_string();
    server.send(Method::POST, &deployments, &headers, body).await.unwrap().ok().unwrap();
}

async fn lookup(server: &Server, target: Value) -> InvocationId {
    let found = server.call("/restate/lookup", target).await.unwrap();
    found["invocationId"].as_str().unwrap().parse().unwrap()
}

fn workflow(key: &str) -> Value {
    json!({ "target": "workflow", "workflowName": "Order", "workflowKey": key })
}

fn idempotent() -> Value {
    let (service, handler) = ("Desk", "order");
    json!({
        "target": "idempotentInvocation", "service": service, "handler": handler,
        "idempotencyKey": "k",
    })
}

/// Clients, handlers and the machine derive the same ids, which nobody else can, for ever.
#[tokio::test(flavor = "multi_thread")]
async fn ids_of_names_follow_from_the_directorys_secret() {
    let dir = tempfile::tempdir().unwrap();
    let plain = [
        Derivation::Plain.workflow(None, "Order", "a"),
        Derivation::Plain.idempotency_key(None, "Desk", "", "order", "k"),
    ];
    let ids = async |server: &Server| {
        [lookup(server, workflow("a")).await, lookup(server, idempotent()).await]
    };
    let (abide, server) = start(dir.path()).await;
    register(&server).await;
    let header = [("idempotency-key", "k")];
    let answer = server.post_with("/Desk/order", &json!("a"), &header).await.unwrap();
    assert_eq!(answer.ok().unwrap(), json!("tea is ordered"));
    let derived = ids(&server).await;
    assert_eq!(answer.invocation().unwrap(), derived[1].to_string());
    let attached = server.get("/restate/workflow/Order/a/attach").await.unwrap();
    assert_eq!(attached.ok().unwrap(), json!("tea is ordered"));
    assert_eq!(attached.invocation().unwrap(), derived[0].to_string());
    for (derived, plain) in derived.iter().zip(plain) {
        assert_eq!(derived.partition_key, plain.partition_key);
        assert_ne!(derived.uuid, plain.uuid, "anybody can reckon it");
    }
    drop(abide);
    let (abide, server) = start(dir.path()).await;
    assert_eq!(ids(&server).await, derived);
    let output = server.get("/restate/workflow/Order/a/output").await.unwrap();
    assert_eq!(output.ok().unwrap(), json!("tea is ordered"));
    drop(abide);

    let older = tempfile::tempdir().unwrap();
    std::fs::write(older.path().join("LAYOUT"), "abide-data 1\npartitions 2\n").unwrap();
    let (_abide, server) = start(older.path()).await;
    assert_eq!(ids(&server).await, plain);
}
