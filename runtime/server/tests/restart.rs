//! Restarting invocations that have ended, on the real binary with services on our SDK.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use abide_sdk::{Request, prelude::*};
use anyhow::ensure;
use e2e_client::{HttpResponse, Server};
use e2e_harness::{abide::Abide, process::Process};
use http::Method;
use serde_json::{Value, json};

use support::{serve_endpoint, start_again, start_under_settings};

/// Takes orders. Without a courier they fail, after they have been paid for.
struct Shop {
    courier: Option<&'static str>,
    charges: Arc<AtomicU64>,
}

#[service]
impl Shop {
    /// Charges, takes from the stock, and ships.
    pub async fn order(&self, ctx: &Context, title: String) -> Result<String> {
        let charge = || async { Ok(self.charges.fetch_add(1, Ordering::SeqCst) + 1) };
        let charge = ctx.run("charge", charge).await?;
        let left = Request::object("Stock", &*title).call::<i64>(ctx, "take", &1).await?;
        ctx.sleep(std::time::Duration::from_millis(1)).await?;
        let Some(courier) = self.courier else {
            return Err(Terminal::new(503, "there is no courier").into());
        };
        let ship = || async { Ok(format!("charge {charge}, {left} left, by {courier}")) };
        Ok(ctx.run("ship", ship).await?)
    }

    /// Waits for an answer from outside that nobody gives.
    pub async fn wait(&self, ctx: &Context) -> Result<String> {
        let (_, answer) = ctx.awakeable::<String>();
        Ok(answer.await?)
    }
}

/// How much there is of a title.
struct Stock;

const LEFT: State<i64> = State::new("left");

#[object]
impl Stock {
    pub async fn take(&self, ctx: &ObjectContext, count: i64) -> Result<i64> {
        let left = LEFT.get(ctx).await?.unwrap_or(10) - count;
        LEFT.set(ctx, left);
        Ok(left)
    }
}

/// Runs once for each key.
struct Once;

#[workflow]
impl Once {
    pub async fn run(&self, _ctx: &WorkflowContext) -> Result<()> {
        Ok(())
    }
}

struct Node {
    process: Process,
    server: Server,
    abide: Abide,
    charges: Arc<AtomicU64>,
    _dir: tempfile::TempDir,
}

impl Node {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (process, server, abide) = start_under_settings(dir.path(), &[]).await;
        let node = Self { process, server, abide, charges: Arc::default(), _dir: dir };
        node.serve(None).await;
        node
    }

    /// Registers the services, as the latest deployment.
    async fn serve(&self, courier: Option<&'static str>) {
        let shop = Shop { courier, charges: Arc::clone(&self.charges) };
        let endpoint = Endpoint::new().bind(shop).bind(Stock).bind(Once);
        serve_endpoint(&self.server, endpoint).await;
    }

    async fn crash(&mut self) {
        self.process.kill().unwrap();
        self.process = start_again(&self.abide, &[]).await;
    }

    async fn query(&self, sql: &str) -> Vec<Value> {
        self.server.rows(sql).await.unwrap()
    }

    /// An invocation that has ended.
    async fn ended(&self, path: &str, input: Value) -> String {
        let id = self.server.send_to(path, input).await.unwrap();
        self.end_of(&id).await;
        id
    }

    async fn end_of(&self, id: &str) {
        let has_ended = || async {
            let sql = format!("select status from sys_invocation where id = '{id}'");
            let found = self.query(&sql).await;
            ensure!(found == [json!({ "status": "completed" })], "{found:?}");
            Ok(())
        };
        self.server.eventually(has_ended).await.unwrap();
    }

    async fn restart(&self, id: &str, how: &str) -> HttpResponse {
        self.server.control(id, &format!("restart-as-new{how}")).await.unwrap()
    }

    /// The id of a restart.
    async fn restarted(&self, id: &str, how: &str) -> String {
        let answer = self.restart(id, how).await.ok().unwrap();
        answer["new_invocation_id"].as_str().unwrap().to_owned()
    }

    async fn refused(&self, id: &str, how: &str, status: u16, says: &str) {
        let answer = self.restart(id, how).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{how}: {text}");
        assert!(text.contains(says), "{how}: {text}");
    }

    async fn result(&self, id: &str) -> HttpResponse {
        self.server.get(&format!("/restate/attach/{id}")).await.unwrap()
    }

    /// The index of the first entry of this type in a journal.
    async fn entry(&self, id: &str, ty: &str) -> u64 {
        let sql = format!(
            "select index from sys_journal where id = '{id}' and entry_type = '{ty}' order by index"
        );
        self.query(&sql).await[0]["index"].as_u64().unwrap()
    }

    fn charges(&self) -> u64 {
        self.charges.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_failed_goes_on_behind_what_it_has_done_on_a_mended_deployment() {
    let mut node = Node::start().await;
    let old = node.ended("/Shop/order", json!("dune")).await;
    assert_eq!(node.result(&old).await.status, 503);
    // Where it was, it fails again, without another charge.
    let called = node.entry(&old, "Command: Call").await;
    let again = node.restarted(&old, &format!("?from={called}&deployment=keep")).await;
    node.end_of(&again).await;
    assert_eq!((node.result(&again).await.status.as_u16(), node.charges()), (503, 1));

    node.serve(Some("Ann")).await;
    let new = node.restarted(&old, &format!("?from={called}&reason=there%20is%20one")).await;
    node.crash().await;
    let result = node.result(&new).await.ok().unwrap();
    assert_eq!(result, json!("charge 1, 9 left, by Ann"), "what was done is not done again");
    assert_eq!(node.charges(), 1);
    assert_eq!(node.server.call("/Stock/dune/take", json!(0)).await.unwrap(), json!(9));

    let told = format!(
        "select restarted_from, invoked_by, completion_result, pinned_deployment_id = \
         (select id from sys_deployment order by created_at desc limit 1) as is_latest from sys_invocation where id = '{new}'"
    );
    let expected = json!({
        "restarted_from": old,
        "invoked_by": "restart_as_new",
        "completion_result": "success",
        "is_latest": true,
    });
    assert_eq!(node.query(&told).await, [expected]);
    let events = |id: &str| {
        format!("select event_type, event_json from sys_journal_events where id = '{id}'")
    };
    let words = |events: &[Value]| -> Vec<String> {
        events.iter().map(|event| event["event_type"].as_str().unwrap().to_owned()).collect()
    };
    let of_old = node.query(&events(&old)).await;
    assert_eq!(words(&of_old), ["RestartedAs", "RestartedAs"]);
    assert!(of_old[1]["event_json"].as_str().unwrap().contains(&new), "{of_old:?}");
    let of_new = node.query(&events(&new)).await;
    assert_eq!(words(&of_new), ["RestartedFrom"]);
    assert!(of_new[0]["event_json"].as_str().unwrap().contains("there is one"), "{of_new:?}");
    let audit = format!(
        "select operation, outcome, reason, from_entry_index, new_invocation_id from sys_audit \
         where invocation_id = '{old}' order by at desc limit 1"
    );
    let expected = json!({
        "operation": "restart-as-new",
        "outcome": "done",
        "reason": "there is one",
        "from_entry_index": called,
        "new_invocation_id": new,
    });
    assert_eq!(node.query(&audit).await, [expected]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_prefix_all_of_it_is_done_again() {
    let node = Node::start().await;
    let old = node.ended("/Shop/order", json!("emma")).await;
    node.serve(Some("Ben")).await;
    let new = node.restarted(&old, "").await;
    assert_eq!(node.result(&new).await.ok().unwrap(), json!("charge 2, 8 left, by Ben"));
    assert_eq!(node.result(&old).await.status, 503, "what has ended stays so");
    let shown = format!("{}/invocations/{new}", node.server.admin);
    let shown = node.server.send(Method::GET, &shown, &[], "").await.unwrap().ok().unwrap();
    assert_eq!(shown["restarted_from"], json!(old));
    // From its last entry, which is the result, nothing is done at all.
    let output = node.entry(&new, "Command: Output").await;
    let same = node.restarted(&new, &format!("?from={output}")).await;
    assert_eq!(node.result(&same).await.ok().unwrap(), json!("charge 2, 8 left, by Ben"));
    assert_eq!(node.charges(), 2);
    // A request that is sent again is the same one.
    let uri = format!("{}/invocations/{old}/restart-as-new", node.server.admin);
    let mut ids = Vec::new();
    for key in ["a", "a", "b"] {
        let headers = [("idempotency-key", key)];
        let answer = node.server.send(Method::PATCH, &uri, &headers, "").await.unwrap();
        ids.push(answer.ok().unwrap()["new_invocation_id"].clone());
    }
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    for id in &ids {
        node.end_of(id.as_str().unwrap()).await;
    }
    assert_eq!(node.charges(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restarted_says_why() {
    let node = Node::start().await;
    let waiting = node.server.send_to("/Shop/wait", Value::Null).await.unwrap();
    let later = node.server.call("/Shop/wait/send?delay=1h", Value::Null).await.unwrap();
    let later = later["invocationId"].as_str().unwrap();
    let once = node.ended("/Once/k/run", Value::Null).await;
    let order = node.ended("/Shop/order", json!("ulysses")).await;
    let unknown = "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz";
    node.refused(&waiting, "", 409, "only what has ended can be restarted").await;
    node.refused(later, "", 425, "restarted once it has ended").await;
    node.refused(&once, "", 422, "runs once for each key").await;
    node.refused(unknown, "", 404, "not found").await;
    node.refused("nonsense", "", 400, "not a valid invocation id").await;
    node.refused(&order, "?from=x", 400, "'from' in the query").await;
    node.refused(&order, "?from=99", 400, "choose one of them as 'from'").await;
    node.refused(&order, "?deployment=dp_1", 400, "not a valid deployment id").await;
    let none = "?from=1&deployment=dp_11nGQpCRmau6ypL82KH2TnP";
    node.refused(&order, none, 400, "there is no deployment").await;
    assert_eq!(node.server.control(&order, "purge-journal").await.unwrap().status, 200);
    node.refused(&order, "", 410, "its journal has been removed").await;

    let hanging = node.ended("/Shop/order", json!("emma")).await;
    let kept = format!("select count(*) as n from sys_audit where invocation_id = '{waiting}'");
    assert_eq!(node.query(&kept).await, [json!({ "n": 1 })], "refusals are kept, too");
    let uri = format!("{}/internal/invocations_batch_operations/restart-as-new", node.server.admin);
    let headers = [("content-type", "application/json")];
    let body = json!({ "invocation_ids": [hanging, order, waiting], "from": 0 }).to_string();
    let batched = node.server.send(Method::POST, &uri, &headers, body).await.unwrap();
    let batched = batched.ok().unwrap();
    assert_eq!(batched["succeeded"][0]["old_invocation_id"], json!(hanging));
    let new = batched["succeeded"][0]["new_invocation_id"].as_str().unwrap();
    node.end_of(new).await;
    let failed: Vec<_> =
        batched["failed"].as_array().unwrap().iter().map(|one| &one["invocation_id"]).collect();
    assert_eq!(failed, [&json!(order), &json!(waiting)]);
}
