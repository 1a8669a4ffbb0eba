//! Awakeables and named signals.

use anyhow::Result;
use e2e_client::HttpResponse;
use serde_json::json;

use super::{Env, behaviours, expect};

behaviours!("awakeables":
    resolved_by_a_client, rejected_by_a_client, resolved_by_a_handler, rejected_by_a_handler,
    the_first_completion_stands, a_malformed_id, a_named_signal, a_rejected_signal,
);

/// Starts a handler that waits; returns its invocation and its awakeable.
async fn waiting(env: &Env) -> Result<(String, String)> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/await_awakeable", json!(cell)).await?;
    Ok((id, env.told(&cell, "awakeable").await?))
}

async fn result(env: &Env, id: &str) -> Result<HttpResponse> {
    env.server.get(&format!("/restate/invocation/{id}/attach")).await
}

async fn resolved_by_a_client(env: &Env) -> Result<()> {
    let (id, awakeable) = waiting(env).await?;
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    env.server.post(&path, &json!({ "a": 1 })).await?.ok()?;
    expect(&result(env, &id).await?.ok()?, &json!({ "a": 1 }))
}

async fn rejected_by_a_client(env: &Env) -> Result<()> {
    let (id, awakeable) = waiting(env).await?;
    let uri = format!("{}/restate/awakeables/{awakeable}/reject", env.server.ingress);
    let plain = [("content-type", "text/plain")];
    env.server.send(http::Method::POST, &uri, &plain, "not today").await?.ok()?;
    result(env, &id).await?.expect_failure(500, "not today")
}

async fn resolved_by_a_handler(env: &Env) -> Result<()> {
    let (id, awakeable) = waiting(env).await?;
    let asked = json!({ "id": awakeable, "value": "hi" });
    env.server.call("/Lab/resolve_awakeable", asked).await?;
    expect(&result(env, &id).await?.ok()?, &json!("hi"))
}

async fn rejected_by_a_handler(env: &Env) -> Result<()> {
    let (id, awakeable) = waiting(env).await?;
    let asked = json!({ "id": awakeable, "reason": "no way" });
    env.server.call("/Lab/reject_awakeable", asked).await?;
    result(env, &id).await?.expect_failure(500, "no way")
}

async fn the_first_completion_stands(env: &Env) -> Result<()> {
    let (id, awakeable) = waiting(env).await?;
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    env.server.post(&path, &json!("first")).await?.ok()?;
    env.server.post(&path, &json!("second")).await?.ok()?;
    expect(&result(env, &id).await?.ok()?, &json!("first"))
}

async fn a_malformed_id(env: &Env) -> Result<()> {
    let path = "/restate/awakeables/sign_1nonsense/resolve";
    env.server.post(path, &json!(1)).await?.expect_failure(400, "")
}

/// Starts a handler that waits for a signal; returns its invocation.
async fn listening(env: &Env) -> Result<String> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/wait_for_signal", json!(cell)).await?;
    let told = env.told(&cell, "invocation").await?;
    expect(&json!(told), &json!(id))?;
    Ok(id)
}

async fn a_named_signal(env: &Env) -> Result<()> {
    let id = listening(env).await?;
    env.server.call("/Lab/send_signal", json!({ "id": id, "value": [1] })).await?;
    expect(&result(env, &id).await?.ok()?, &json!([1]))
}

async fn a_rejected_signal(env: &Env) -> Result<()> {
    let id = listening(env).await?;
    env.server.call("/Lab/send_signal", json!({ "id": id, "reason": "boom" })).await?;
    result(env, &id).await?.expect_failure(500, "boom")
}
