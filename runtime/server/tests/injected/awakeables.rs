//! Awakeables completed with large bodies, under kills: an acknowledged completion is never lost.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use e2e_client::Server;
use http::{Method, StatusCode};
use runtime_seeded::Random;
use serde_json::json;

use crate::{
    report,
    rig::{PAUSE, Rig},
    services::{self, Told, digest},
    size,
};

/// The longest that a handler may take to end after its completion was acknowledged, including
/// kills.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// State shared by all connections.
struct Load {
    server: Server,
    told: Told,
    body_bytes: usize,
    is_over: AtomicBool,
    acknowledged: AtomicU64,
    /// Completions that are acknowledged and not yet known to have arrived.
    open: AtomicU64,
    /// How many of those were open when a kill happened, summed over all kills.
    at_risk: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_completions_survive_kills() {
    report("awakeables", run(size("KILLS", 4), size("SEED", 1))).await;
}

async fn run(kills: u64, seed: u64) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let mut rig = Rig::new(dir.path(), &dir.path().join("data"), "")?;
    let told = Told::new();
    rig.start().await?;
    rig.register(&services::serve(&told).await?).await?;
    let load = Arc::new(Load {
        server: rig.server.clone(),
        told,
        body_bytes: size("BODY_BYTES", 3_000_000),
        is_over: AtomicBool::new(false),
        acknowledged: AtomicU64::new(0),
        open: AtomicU64::new(0),
        at_risk: AtomicU64::new(0),
    });
    let connections: u64 = size("CONNECTIONS", 6);
    println!("awakeables: {kills} kills, {connections} connections, seed {seed}");
    let tasks: Vec<_> = (0..connections)
        .map(|connection| tokio::spawn(connect(Arc::clone(&load), seed, connection)))
        .collect();
    let mut random = Random::new(seed);
    let mut failed = Ok(());
    for kill in 1..=kills {
        // A kill is only meaningful under load, so wait for the first completion since the last
        // one.
        let before = load.acknowledged.load(SeqCst);
        let deadline = Instant::now() + LOST_AFTER;
        while load.acknowledged.load(SeqCst) == before && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(random.below(400))).await;
        load.at_risk.fetch_add(load.open.load(SeqCst), SeqCst);
        rig.kill()?;
        rig.start().await.with_context(|| format!("after kill {kill}"))?;
        if kill.is_multiple_of(20) {
            println!("awakeables: {kill} kills, {} acknowledged", load.acknowledged.load(SeqCst));
        }
        if let Some(ended) = tasks.iter().position(tokio::task::JoinHandle::is_finished) {
            failed = Err(anyhow::anyhow!("connection {ended} has ended after kill {kill}"));
            break;
        }
    }
    load.is_over.store(true, SeqCst);
    for task in tasks {
        task.await??;
    }
    failed?;
    let (acknowledged, at_risk) = (load.acknowledged.load(SeqCst), load.at_risk.load(SeqCst));
    ensure!(at_risk > 0, "no kill met an acknowledged completion: nothing was tried");
    Ok(format!(
        "{kills} kills, {acknowledged} completions acknowledged, {at_risk} of them not yet seen when \
         a kill came, none lost"
    ))
}

/// One connection: start a handler that waits, complete its awakeable, check that the value
/// arrived, and repeat.
async fn connect(load: Arc<Load>, seed: u64, connection: u64) -> Result<()> {
    let mut random = Random::new(seed ^ (connection << 32));
    for number in 0.. {
        if load.is_over.load(SeqCst) {
            break;
        }
        let name = format!("{connection}-{number}");
        let body = random.bytes(load.body_bytes).into();
        complete(&load, &name, body).await.with_context(|| format!("awakeable {name}"))?;
    }
    Ok(())
}

async fn complete(load: &Load, name: &str, body: Bytes) -> Result<()> {
    let server = &load.server;
    let key = [("idempotency-key", name)];
    let invocation = persist(|| async {
        let sent = server.post_with("/Waiter/wait/send", &json!(name), &key).await?;
        sent.ok()?["invocationId"].as_str().map(str::to_owned).context("no invocationId")
    });
    let invocation = invocation.await?;
    let awakeable =
        persist(|| async { load.told.get(name).context("it does not wait yet") }).await?;
    let uri = format!("{}/restate/awakeables/{awakeable}/resolve", server.ingress);
    let expected = digest(&body);
    // Without a response the completion may or may not have been stored, so the same value is sent
    // again.
    persist(|| async {
        let answer = server.send(Method::POST, &uri, &[], body.clone()).await?;
        ensure!(answer.status == StatusCode::ACCEPTED, "{}", answer.status);
        Ok(())
    })
    .await?;
    load.acknowledged.fetch_add(1, SeqCst);
    load.open.fetch_add(1, SeqCst);
    let path = format!("/restate/invocation/{invocation}/output");
    let arrived = persist(|| async { server.get(&path).await?.ok() }).await;
    let arrived = arrived.context("LOST: the completion was acknowledged with 202")?;
    load.open.fetch_sub(1, SeqCst);
    ensure!(arrived == json!(expected), "it arrived as {arrived}, sent was {expected}");
    Ok(())
}

/// Retries any failure, for as long as a client would.
async fn persist<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> Result<T> {
    let deadline = Instant::now() + LOST_AFTER;
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() > deadline => bail!("{error:#}, for {LOST_AFTER:?}"),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
