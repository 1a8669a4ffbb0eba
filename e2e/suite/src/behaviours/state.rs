//! State of virtual objects.

use anyhow::Result;
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{Env, behaviours, expect};

behaviours!("state":
    what_is_set_is_there, absent_is_null, keys_are_apart, clearing_one, clearing_all,
    reads_its_own_writes, stays_after_a_failure, one_writer_per_key, readers_beside_the_writer,
    large_values,
);

async fn set(env: &Env, key: &str, name: &str, value: Value) -> Result<()> {
    let body = json!({ "k": name, "v": value });
    env.server.call(&format!("/Cell/{key}/set"), body).await.map(|_| ())
}

async fn get(env: &Env, key: &str, name: &str) -> Result<Value> {
    env.server.call(&format!("/Cell/{key}/get"), name.into()).await
}

async fn what_is_set_is_there(env: &Env) -> Result<()> {
    let key = env.key();
    set(env, &key, "a", json!({ "x": [1, 2] })).await?;
    expect(&get(env, &key, "a").await?, &json!({ "x": [1, 2] }))
}

async fn absent_is_null(env: &Env) -> Result<()> {
    expect(&get(env, &env.key(), "a").await?, &Value::Null)
}

async fn keys_are_apart(env: &Env) -> Result<()> {
    let (one, other) = (env.key(), env.key());
    set(env, &one, "a", json!(1)).await?;
    expect(&get(env, &other, "a").await?, &Value::Null)
}

async fn clearing_one(env: &Env) -> Result<()> {
    let key = env.key();
    set(env, &key, "a", json!(1)).await?;
    set(env, &key, "b", json!(2)).await?;
    env.server.call(&format!("/Cell/{key}/clear"), "a".into()).await?;
    expect(&get(env, &key, "a").await?, &Value::Null)?;
    expect(&get(env, &key, "b").await?, &json!(2))
}

async fn clearing_all(env: &Env) -> Result<()> {
    let key = env.key();
    for name in ["c", "a", "b"] {
        set(env, &key, name, json!(name)).await?;
    }
    let cleared = env.server.get(&format!("/Cell/{key}/clear_all")).await?.ok()?;
    expect(&cleared, &json!(["a", "b", "c"]))?;
    let left = env.server.get(&format!("/Cell/{key}/keys")).await?.ok()?;
    expect(&left, &json!([]))
}

async fn reads_its_own_writes(env: &Env) -> Result<()> {
    let seen = env.server.get(&format!("/Cell/{}/round_trip", env.key())).await?.ok()?;
    expect(&seen, &json!([1, null, null]))
}

async fn stays_after_a_failure(env: &Env) -> Result<()> {
    let key = env.key();
    let failed = env.server.post(&format!("/Cell/{key}/add_then_fail"), &json!(3)).await?;
    failed.expect_failure(409, "count is 3")?;
    expect(&env.server.call(&format!("/Cell/{key}/add"), json!(1)).await?, &json!(4))
}

async fn one_writer_per_key(env: &Env) -> Result<()> {
    let path = format!("/Cell/{}/add", env.key());
    try_join_all((0..50).map(|_| env.server.call(&path, json!(1)))).await?;
    expect(&env.server.call(&path, json!(0)).await?, &json!(50))
}

async fn readers_beside_the_writer(env: &Env) -> Result<()> {
    let key = env.key();
    let holder = env.server.send_to(&format!("/Cell/{key}/hold"), Value::Null).await?;
    // The writer holds the lock; a shared handler sees what it has written so far.
    let awakeable = env.told(&key, "held").await?;
    let resolve = format!("/restate/awakeables/{awakeable}/resolve");
    env.server.post(&resolve, &json!("done")).await?.ok()?;
    let result = env.server.get(&format!("/restate/invocation/{holder}/attach")).await?.ok()?;
    expect(&result, &json!("done"))
}

async fn large_values(env: &Env) -> Result<()> {
    let (key, large) = (env.key(), "x".repeat(300_000));
    set(env, &key, "large", json!(large)).await?;
    expect(&get(env, &key, "large").await?, &json!(large))
}
