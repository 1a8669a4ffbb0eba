//! Cancelling and killing.

use anyhow::{Result, ensure};
use e2e_client::HttpResponse;
use serde_json::{Value, json};

use super::{Env, behaviours, expect};

behaviours!("cancellation":
    of_a_sleeping_handler, reaches_the_callee, by_another_handler, before_the_start,
    of_nobody, kill_frees_the_lock, kill_reaches_the_callee,
);

async fn result(env: &Env, id: &str) -> Result<HttpResponse> {
    env.server.get(&format!("/restate/invocation/{id}/attach")).await
}

async fn control(env: &Env, id: &str, what: &str) -> Result<()> {
    let answer = env.server.control(id, what).await?;
    ensure!(answer.status.is_success(), "{what}: {}", answer.status);
    Ok(())
}

async fn of_a_sleeping_handler(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/until_cancelled", json!(cell)).await?;
    env.told(&cell, "started").await?;
    control(env, &id, "cancel").await?;
    expect(&json!(env.told(&cell, "cancelled").await?), &json!("409"))?;
    result(env, &id).await?.expect_failure(409, "")
}

async fn reaches_the_callee(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/call_until_cancelled", json!(cell)).await?;
    env.told(&cell, "started").await?;
    control(env, &id, "cancel").await?;
    env.told(&cell, "cancelled").await?;
    result(env, &id).await?.expect_failure(409, "")
}

async fn by_another_handler(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/until_cancelled", json!(cell)).await?;
    env.told(&cell, "started").await?;
    env.server.call("/Lab/cancel", json!(id)).await?;
    env.told(&cell, "cancelled").await?;
    result(env, &id).await?.expect_failure(409, "")
}

async fn before_the_start(env: &Env) -> Result<()> {
    let key = env.key();
    let holder = env.server.send_to(&format!("/Cell/{key}/hold"), Value::Null).await?;
    let awakeable = env.told(&key, "held").await?;
    let waiting = env.server.send_to(&format!("/Cell/{key}/add"), json!(1)).await?;
    control(env, &waiting, "cancel").await?;
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    env.server.post(&path, &json!(1)).await?.ok()?;
    result(env, &holder).await?.ok()?;
    // It never ran.
    expect(&env.server.call(&format!("/Cell/{key}/add"), json!(0)).await?, &json!(0))
}

async fn of_nobody(env: &Env) -> Result<()> {
    let nobody = format!("inv_1{}", "0".repeat(33));
    let answer = env.server.control(&nobody, "cancel").await?;
    ensure!(answer.status == 404, "{}", answer.status);
    let answer = env.server.control("nonsense", "cancel").await?;
    ensure!(answer.status == 400, "{}", answer.status);
    Ok(())
}

async fn kill_frees_the_lock(env: &Env) -> Result<()> {
    let key = env.key();
    let id = env.server.send_to(&format!("/Cell/{key}/forever"), Value::Null).await?;
    let started = format!("/Cell/{key}/get");
    env.server
        .eventually(|| async {
            expect(&env.server.call(&started, "started".into()).await?, &json!(true))
        })
        .await?;
    control(env, &id, "kill").await?;
    result(env, &id).await?.expect_failure(409, "killed")?;
    expect(&env.server.call(&format!("/Cell/{key}/add"), json!(1)).await?, &json!(1))
}

async fn kill_reaches_the_callee(env: &Env) -> Result<()> {
    let key = env.key();
    let id = env.server.send_to("/Lab/call_forever", json!(key)).await?;
    let started = format!("/Cell/{key}/get");
    env.server
        .eventually(|| async {
            expect(&env.server.call(&started, "started".into()).await?, &json!(true))
        })
        .await?;
    control(env, &id, "kill").await?;
    expect(&env.server.call(&format!("/Cell/{key}/add"), json!(1)).await?, &json!(1))
}
