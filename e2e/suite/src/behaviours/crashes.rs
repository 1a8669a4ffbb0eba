//! What survives when a process is killed, or told to stop.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::{Env, behaviours, expect};
use crate::bed::Signal;

behaviours!("crashes":
    the_services_in_the_middle, the_runtime_in_the_middle, the_runtime_while_it_sleeps,
    the_runtime_while_a_lock_is_held, the_services_are_stopped, the_runtime_is_stopped,
);

/// Runs `work` while restarting the services if they exit.
async fn supervised<T>(env: &Env, work: impl Future<Output = Result<T>>) -> Result<T> {
    let supervision = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            env.bed.lock().await.revive_services()?;
        }
    };
    tokio::select! {
        done = work => done,
        broken = supervision => broken,
    }
}

/// Starts handlers that pause and then add, and waits until they are running; returns their key and
/// ids.
async fn under_way(env: &Env) -> Result<(String, Vec<String>)> {
    let key = env.key();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let asked = json!({ "key": key, "pauseMs": 700 });
        ids.push(env.server.send_to("/Lab/slow_add", asked).await?);
    }
    env.told(&format!("{key}-told"), "started").await?;
    Ok((key, ids))
}

/// Checks that each of them has added exactly once.
async fn all_added(env: &Env, key: &str, ids: &[String]) -> Result<()> {
    supervised(env, async {
        for id in ids {
            let path = format!("/restate/invocation/{id}/attach");
            env.server.eventually(|| async { env.server.get(&path).await?.ok() }).await?;
        }
        expect(&env.server.call(&format!("/Cell/{key}/add"), json!(0)).await?, &json!(ids.len()))
    })
    .await
}

async fn the_services_in_the_middle(env: &Env) -> Result<()> {
    let (key, ids) = under_way(env).await?;
    env.bed.lock().await.restart_services(Signal::Kill).await?;
    all_added(env, &key, &ids).await
}

async fn the_runtime_in_the_middle(env: &Env) -> Result<()> {
    let (key, ids) = under_way(env).await?;
    env.bed.lock().await.restart_runtime(Signal::Kill).await?;
    all_added(env, &key, &ids).await
}

async fn the_runtime_while_it_sleeps(env: &Env) -> Result<()> {
    let key = env.key();
    let path = format!("/List/{key}/append/send?delay=1s");
    env.server.post(&path, &json!("late")).await?.ok()?;
    env.bed.lock().await.restart_runtime(Signal::Kill).await?;
    let list = format!("/List/{key}/all");
    let arrived = env
        .server
        .eventually(|| async { expect(&env.server.get(&list).await?.ok()?, &json!(["late"])) });
    supervised(env, arrived).await
}

async fn the_runtime_while_a_lock_is_held(env: &Env) -> Result<()> {
    let key = env.key();
    env.server.send_to(&format!("/Cell/{key}/hold"), json!(null)).await?;
    let awakeable = env.told(&key, "held").await?;
    env.server.send_to(&format!("/Cell/{key}/add"), json!(1)).await?;
    env.bed.lock().await.restart_runtime(Signal::Kill).await?;
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    env.server.eventually(|| async { env.server.post(&path, &json!(1)).await?.ok() }).await?;
    let count = format!("/Cell/{key}/get");
    let added = env.server.eventually(|| async {
        expect(&env.server.call(&count, "count".into()).await?, &json!(1))
    });
    supervised(env, added).await
}

async fn the_services_are_stopped(env: &Env) -> Result<()> {
    let (key, ids) = under_way(env).await?;
    env.bed.lock().await.restart_services(Signal::Terminate).await?;
    all_added(env, &key, &ids).await
}

async fn the_runtime_is_stopped(env: &Env) -> Result<()> {
    let (key, ids) = under_way(env).await?;
    env.bed.lock().await.restart_runtime(Signal::Terminate).await?;
    all_added(env, &key, &ids).await
}
