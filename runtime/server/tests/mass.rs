//! Many invocations at once: what they leave behind, and what they take meanwhile. `ABIDE_TEST_QUEUE`
//! sets how many wait in a queue.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::time::Duration;

use abide_sdk::{join_all, prelude::*};
use anyhow::ensure;
use e2e_client::Server;
use serde_json::{Value, json};

use support::{memory_bytes_of, serve_endpoint, set_by, start};

/// How many calls each call of the tree makes, and how deep it is: 1,111 invocations.
const WIDTH: u32 = 10;
const DEPTH: u32 = 3;
const INVOCATIONS: u32 = 1111;

/// A call tree whose leaves wait for somebody outside.
struct Tree;

#[object]
impl Tree {
    pub async fn grow(&self, ctx: &ObjectContext, depth: u32) -> Result<()> {
        if depth == 0 {
            let (_, answer) = ctx.awakeable::<()>();
            return Ok(answer.await?);
        }
        let children =
            (0..WIDTH).map(|nth| Tree::key(format!("{}.{nth}", ctx.key())).grow(ctx, depth - 1));
        for child in join_all(children).await {
            child?;
        }
        Ok(())
    }
}

async fn count(server: &Server, of: &str) -> anyhow::Result<u64> {
    let answer = server.query(&format!("select count(*) as n from {of}")).await?.ok()?;
    answer["rows"][0]["n"].as_u64().ok_or_else(|| anyhow::anyhow!("no count: {answer}"))
}

/// Waits until there are this many, for as long as their number changes.
async fn until(server: &Server, of: &str, wanted: u64) {
    let mut last = None;
    loop {
        let changed = server.eventually(|| async {
            let now = count(server, of).await?;
            ensure!(now == wanted || Some(now) != last, "{now} of {wanted}: {of}");
            Ok(now)
        });
        let now = changed.await.unwrap();
        if now == wanted {
            return;
        }
        last = Some(now);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_call_tree_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (_abide, server) = start(dir.path()).await;
    serve_endpoint(&server, Endpoint::new().bind(Tree)).await;
    let all = u64::from(INVOCATIONS);
    for (nth, (how, why)) in (1..).zip([("cancel", "ancel"), ("kill", "illed")]) {
        let root = server.send_to(&format!("/Tree/{how}/grow"), json!(DEPTH)).await.unwrap();
        until(&server, "sys_invocation where status in ('running', 'suspended')", all).await;
        server.control(&root, how).await.unwrap().ok().unwrap();
        until(&server, "sys_invocation where status <> 'completed'", 0).await;
        let ended = format!("sys_invocation where completion_failure like '%{why}%'");
        assert_eq!(count(&server, &ended).await.unwrap(), all, "{how}");
        assert_eq!(count(&server, "sys_invocation").await.unwrap(), nth * all);
        for left in ["sys_wait", "sys_inbox", "sys_locks", "sys_timer", "state"] {
            assert_eq!(count(&server, left).await.unwrap(), 0, "{left} after a {how}");
        }
        let running = "sys_attempt where outcome = 'running'";
        assert_eq!(count(&server, running).await.unwrap(), 0, "{how}");
    }
}

/// How many are sent by one invocation.
const CHUNK: usize = 1000;

/// How much more memory the server may take with the queue than before, in bytes: it is on disk.
const QUEUE_BYTES_MAX: u64 = 128 << 20;

/// Sends from one place, so that what it sends keeps its order.
struct Feeder;

#[object]
impl Feeder {
    pub async fn feed(&self, ctx: &ObjectContext, (from, until): (u64, u64)) -> Result<()> {
        for number in from..until {
            Line::key("only").send().take(ctx, number);
        }
        Ok(())
    }
}

/// Takes numbers in their order.
struct Line;

const NEXT: State<u64> = State::new("next");
const WRONG: State<(u64, u64)> = State::new("wrong");

#[object]
impl Line {
    /// Keeps all others out until somebody answers.
    pub async fn hold(&self, ctx: &ObjectContext) -> Result<()> {
        let (id, answer) = ctx.awakeable::<()>();
        ctx.run("tell", || async { Ok(id.to_string()) }).await?;
        Ok(answer.await?)
    }

    pub async fn take(&self, ctx: &ObjectContext, number: u64) -> Result<()> {
        let expected = NEXT.get(ctx).await?.unwrap_or(0);
        if number != expected {
            WRONG.set(ctx, (expected, number));
        }
        NEXT.set(ctx, number + 1);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_drains_in_order_and_takes_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (abide, server) = start(dir.path()).await;
    serve_endpoint(&server, Endpoint::new().bind(Feeder).bind(Line)).await;
    let holder = server.send_to("/Line/only/hold", Value::Null).await.unwrap();
    let told = format!("sys_journal where id = '{holder}' and entry_type like '%Run'");
    until(&server, &told, 2).await;
    let before = memory_bytes_of(abide.pid()).0;

    // How many invocations wait in the queue.
    let queued = set_by("ABIDE_TEST_QUEUE", 3000);
    for from in (0..queued).step_by(CHUNK) {
        let chunk = json!([from, (from + CHUNK).min(queued)]);
        server.call("/Feeder/only/feed", chunk).await.unwrap();
    }
    until(&server, "sys_inbox", queued as u64).await;
    let with_queue = memory_bytes_of(abide.pid()).0;

    let answer = format!(
        "select value_utf8 from sys_journal where id = '{holder}' and value_utf8 like '%sign_%'"
    );
    let answer = server.query(&answer).await.unwrap().ok().unwrap();
    let awakeable: String =
        serde_json::from_str(answer["rows"][0]["value_utf8"].as_str().unwrap()).unwrap();
    server.call(&format!("/restate/awakeables/{awakeable}/resolve"), json!(null)).await.unwrap();
    until(&server, "sys_invocation where status <> 'completed'", 0).await;
    let at_end = memory_bytes_of(abide.pid()).0;

    let state = server.query("select key, value_utf8 from state where service_name = 'Line'").await;
    let state = state.unwrap().ok().unwrap();
    assert_eq!(state["rows"], json!([{ "key": "next", "value_utf8": queued.to_string() }]));
    println!(
        "{queued} queued: {before} bytes before, {with_queue} bytes with the queue, {at_end} bytes after"
    );
    let most = with_queue.max(at_end);
    assert!(most < before + QUEUE_BYTES_MAX, "{most} bytes, and {before} bytes before");
}
