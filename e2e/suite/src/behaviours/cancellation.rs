//! Cancelling and killing.

use anyhow::{Result, ensure};
use e2e_client::HttpResponse;
use serde_json::{Value, json};

use super::{Env, behaviours, expect};

behaviours!("cancellation":
    of_a_sleeping_handler, reaches_the_callee, by_another_handler, before_the_start,
    of_nobody, kill_frees_the_lock, kill_reaches_the_callee, of_one_that_awaits,
    of_one_that_awaits_by_another_handler, of_a_deadlock, of_a_deadlock_by_another_handler,
    kill_ends_a_deadlock,
);

async fn result(env: &Env, id: &str) -> Result<HttpResponse> {
    env.server.get(&format!("/restate/invocation/{id}/attach")).await
}

async fn control(env: &Env, id: &str, what: &str) -> Result<()> {
    let answer = env.server.control(id, what).await?;
    ensure!(answer.status.is_success(), "{what}: {}", answer.status);
    Ok(())
}

/// Cancels from a handler.
async fn cancel_from_handler(env: &Env, id: &str) -> Result<()> {
    env.server.call("/Lab/cancel", json!(id)).await.map(|_| ())
}

/// Waits until a handler that does not return holds a cell's lock.
async fn is_locked(env: &Env, key: &str) -> Result<()> {
    let started = format!("/Cell/{key}/get");
    let locked = env.server.eventually(|| async {
        expect(&env.server.call(&started, "started".into()).await?, &json!(true))
    });
    locked.await
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
    cancel_from_handler(env, &id).await?;
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
    is_locked(env, &key).await?;
    control(env, &id, "kill").await?;
    result(env, &id).await?.expect_failure(409, "killed")?;
    expect(&env.server.call(&format!("/Cell/{key}/add"), json!(1)).await?, &json!(1))
}

async fn kill_reaches_the_callee(env: &Env) -> Result<()> {
    let key = env.key();
    let id = env.server.send_to("/Lab/call_forever", json!(key)).await?;
    is_locked(env, &key).await?;
    control(env, &id, "kill").await?;
    expect(&env.server.call(&format!("/Cell/{key}/add"), json!(1)).await?, &json!(1))
}

/// Starts a handler that waits for an awakeable; returns its cell and its invocation.
async fn awaiting(env: &Env) -> Result<(String, String)> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/await_until_cancelled", json!(cell)).await?;
    env.told(&cell, "started").await?;
    Ok((cell, id))
}

async fn of_one_that_awaits(env: &Env) -> Result<()> {
    let (cell, id) = awaiting(env).await?;
    control(env, &id, "cancel").await?;
    expect(&json!(env.told(&cell, "cancelled").await?), &json!("409"))?;
    result(env, &id).await?.expect_failure(409, "")
}

async fn of_one_that_awaits_by_another_handler(env: &Env) -> Result<()> {
    let (cell, id) = awaiting(env).await?;
    cancel_from_handler(env, &id).await?;
    expect(&json!(env.told(&cell, "cancelled").await?), &json!("409"))?;
    result(env, &id).await?.expect_failure(409, "")
}

/// Starts a handler that calls an object that calls itself; returns the key and the invocation.
async fn deadlocked(env: &Env) -> Result<(String, String)> {
    let key = env.key();
    let id = env.server.send_to("/Lab/call_deadlock", json!(key)).await?;
    is_locked(env, &key).await?;
    Ok((key, id))
}

/// Checks that the deadlock is gone: that the caller has failed, and the lock is free.
async fn ended(env: &Env, key: &str, id: &str) -> Result<()> {
    result(env, id).await?.expect_failure(409, "")?;
    expect(&env.server.call(&format!("/Cell/{key}/add"), json!(1)).await?, &json!(1))
}

async fn of_a_deadlock(env: &Env) -> Result<()> {
    let (key, id) = deadlocked(env).await?;
    control(env, &id, "cancel").await?;
    ended(env, &key, &id).await
}

async fn of_a_deadlock_by_another_handler(env: &Env) -> Result<()> {
    let (key, id) = deadlocked(env).await?;
    cancel_from_handler(env, &id).await?;
    ended(env, &key, &id).await
}

async fn kill_ends_a_deadlock(env: &Env) -> Result<()> {
    let (key, id) = deadlocked(env).await?;
    control(env, &id, "kill").await?;
    ended(env, &key, &id).await
}
