//! Waiting for several things at once.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Env, behaviours, expect};

behaviours!("combinators":
    a_timeout_wins, a_value_wins_against_a_timeout, the_first_of_two, the_second_of_two,
    all_of_two,
);

async fn resolve(env: &Env, cell: &str, name: &str, value: Value) -> Result<()> {
    let awakeable = env.told(cell, name).await?;
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    env.server.post(&path, &value).await?.ok().map(|_| ())
}

async fn result(env: &Env, id: &str) -> Result<Value> {
    env.server.get(&format!("/restate/invocation/{id}/attach")).await?.ok()
}

async fn a_timeout_wins(env: &Env) -> Result<()> {
    let asked = json!({ "cell": env.key(), "timeoutMs": 100 });
    expect(&env.server.call("/Lab/await_or_timeout", asked).await?, &json!("timeout"))
}

async fn a_value_wins_against_a_timeout(env: &Env) -> Result<()> {
    let cell = env.key();
    let asked = json!({ "cell": cell, "timeoutMs": 60_000 });
    let id = env.server.send_to("/Lab/await_or_timeout", asked).await?;
    resolve(env, &cell, "awakeable", json!("here")).await?;
    expect(&result(env, &id).await?, &json!("here"))
}

async fn the_first_of_two(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/first_of_two", json!(cell)).await?;
    resolve(env, &cell, "first", json!(1)).await?;
    expect(&result(env, &id).await?, &json!(1))
}

async fn the_second_of_two(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/first_of_two", json!(cell)).await?;
    resolve(env, &cell, "second", json!(2)).await?;
    expect(&result(env, &id).await?, &json!(2))
}

async fn all_of_two(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/all_of_two", json!(cell)).await?;
    resolve(env, &cell, "second", json!(2)).await?;
    resolve(env, &cell, "first", json!(1)).await?;
    expect(&result(env, &id).await?, &json!([1, 2]))
}
