//! Sleeps, and delayed sends.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::json;

use super::{Env, behaviours, expect};

behaviours!("timers":
    not_early, many_at_once, many_in_many_handlers, a_delayed_send_of_a_handler, a_delayed_send_of_a_client,
    delays_pass_before_the_queue,
);

async fn not_early(env: &Env) -> Result<()> {
    let started = Instant::now();
    expect(&env.server.call("/Lab/sleep", json!(300)).await?, &json!("slept"))?;
    ensure!(started.elapsed() >= Duration::from_millis(299), "after {:?}", started.elapsed());
    Ok(())
}

async fn many_at_once(env: &Env) -> Result<()> {
    expect(&env.server.call("/Lab/sleep_many", json!(20)).await?, &json!(20))
}

async fn many_in_many_handlers(env: &Env) -> Result<()> {
    let slept = (0..50).map(|_| env.server.call("/Lab/sleep_many", json!(20)));
    ensure!(try_join_all(slept).await?.iter().all(|count| *count == 20), "not all have slept");
    Ok(())
}

async fn a_delayed_send_of_a_handler(env: &Env) -> Result<()> {
    let (key, started) = (env.key(), Instant::now());
    env.server.call("/Lab/send_later", json!({ "key": key, "delayMs": 400 })).await?;
    arrives(env, &key, json!(["late"])).await?;
    ensure!(started.elapsed() >= Duration::from_millis(399), "after {:?}", started.elapsed());
    Ok(())
}

async fn a_delayed_send_of_a_client(env: &Env) -> Result<()> {
    let (key, started) = (env.key(), Instant::now());
    let path = format!("/List/{key}/append/send?delay=400ms");
    let accepted = env.server.post(&path, &json!("later")).await?.ok()?;
    ensure!(accepted["executionTime"].is_string(), "no executionTime: {accepted}");
    arrives(env, &key, json!(["later"])).await?;
    ensure!(started.elapsed() >= Duration::from_millis(399), "after {:?}", started.elapsed());
    Ok(())
}

async fn delays_pass_before_the_queue(env: &Env) -> Result<()> {
    let (key, started) = (env.key(), Instant::now());
    for n in 0..10 {
        let path = format!("/Cell/{key}/add/send?delay=500ms");
        env.server.post(&path, &json!(1)).await?.ok()?;
        ensure!(n < 10 && started.elapsed() < Duration::from_secs(25), "too slow to tell");
    }
    env.server
        .eventually(|| async {
            let count = env.server.call(&format!("/Cell/{key}/get"), "count".into()).await?;
            expect(&count, &json!(10))
        })
        .await?;
    ensure!(started.elapsed() >= Duration::from_millis(499), "after {:?}", started.elapsed());
    Ok(())
}

async fn arrives(env: &Env, key: &str, items: serde_json::Value) -> Result<()> {
    let list = format!("/List/{key}/all");
    env.server.eventually(|| async { expect(&env.server.get(&list).await?.ok()?, &items) }).await
}
