//! Workflows and their promises.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Env, behaviours, expect};

behaviours!("workflows":
    a_promise_resolves_the_run, a_promise_rejects_the_run, peeking_does_not_wait,
    a_promise_is_completed_once, state_is_shared, a_second_call_is_refused,
    a_second_send_finds_the_first, output_before_and_after,
);

/// Starts a run; returns its key and its invocation.
async fn started(env: &Env) -> Result<(String, String)> {
    let key = env.key();
    let id = env.server.send_to(&format!("/Flow/{key}/run"), json!("in")).await?;
    Ok((key, id))
}

async fn a_promise_resolves_the_run(env: &Env) -> Result<()> {
    let (key, _) = started(env).await?;
    env.server.call(&format!("/Flow/{key}/resolve"), json!("yes")).await?;
    let result = env.server.get(&format!("/restate/workflow/Flow/{key}/attach")).await?.ok()?;
    expect(&result, &json!("yes"))
}

async fn a_promise_rejects_the_run(env: &Env) -> Result<()> {
    let (key, id) = started(env).await?;
    env.server.call(&format!("/Flow/{key}/reject"), json!("because")).await?;
    let result = env.server.get(&format!("/restate/invocation/{id}/attach")).await?;
    result.expect_failure(500, "because")
}

async fn peeking_does_not_wait(env: &Env) -> Result<()> {
    let (key, _) = started(env).await?;
    let peek = format!("/Flow/{key}/peek");
    expect(&env.server.get(&peek).await?.ok()?, &json!("pending"))?;
    env.server.call(&format!("/Flow/{key}/resolve"), json!("yes")).await?;
    expect(&env.server.get(&peek).await?.ok()?, &json!("yes"))
}

async fn a_promise_is_completed_once(env: &Env) -> Result<()> {
    let (key, _) = started(env).await?;
    let resolve = format!("/Flow/{key}/resolve");
    env.server.call(&resolve, json!("first")).await?;
    let _refused_or_ignored = env.server.post(&resolve, &json!("second")).await?;
    expect(&env.server.get(&format!("/Flow/{key}/peek")).await?.ok()?, &json!("first"))
}

async fn state_is_shared(env: &Env) -> Result<()> {
    let (key, _) = started(env).await?;
    let path = format!("/Flow/{key}/input");
    env.server
        .eventually(|| async { expect(&env.server.get(&path).await?.ok()?, &json!("in")) })
        .await
}

async fn a_second_call_is_refused(env: &Env) -> Result<()> {
    let (key, id) = started(env).await?;
    let again = env.server.post(&format!("/Flow/{key}/run"), &json!("again")).await?;
    again.expect_failure(409, "already")?;
    expect(&json!(again.invocation()?), &json!(id))
}

async fn a_second_send_finds_the_first(env: &Env) -> Result<()> {
    let (key, id) = started(env).await?;
    let again = env.server.call(&format!("/Flow/{key}/run/send"), json!("other")).await?;
    let expected = json!({ "invocationId": id, "status": "PreviouslyAccepted" });
    expect(&again, &expected)
}

async fn output_before_and_after(env: &Env) -> Result<()> {
    let (key, _) = started(env).await?;
    let path = format!("/restate/workflow/Flow/{key}/output");
    let early = env.server.get(&path).await?;
    ensure!(early.status == 470, "{} before the end", early.status);
    env.server.call(&format!("/Flow/{key}/resolve"), json!("yes")).await?;
    env.server
        .eventually(|| async { expect(&env.server.get(&path).await?.ok()?, &json!("yes")) })
        .await
}
