//! What clients may send, and what the ingress responds.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Env, behaviours, expect};

behaviours!("ingress":
    bytes_pass_unchanged, headers_reach_the_handler, an_idempotency_key_is_one_execution,
    an_idempotent_send, attach_and_output_by_id, attach_by_idempotency_key, unknown_invocations,
    the_new_forms, health, a_private_service, an_idempotency_key_expires,
);

async fn bytes_pass_unchanged(env: &Env) -> Result<()> {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let uri = format!("{}/Lab/echo", env.server.ingress);
    let headers = [("content-type", "application/octet-stream")];
    let answer = env.server.send(http::Method::POST, &uri, &headers, bytes.clone()).await?;
    ensure!(answer.status == 200 && answer.body == bytes, "{}", answer.status);
    Ok(())
}

async fn headers_reach_the_handler(env: &Env) -> Result<()> {
    let sent = [("x-custom", "value 1")];
    let answer = env.server.post_with("/Lab/header", &json!("x-custom"), &sent).await?;
    expect(&answer.ok()?, &json!("value 1"))
}

async fn an_idempotency_key_is_one_execution(env: &Env) -> Result<()> {
    let (key, idempotency) = (env.key(), env.key());
    let path = format!("/Cell/{key}/add");
    let header = [("idempotency-key", idempotency.as_str())];
    let first = env.server.post_with(&path, &json!(5), &header).await?;
    let second = env.server.post_with(&path, &json!(5), &header).await?;
    expect(&first.ok()?, &json!(5))?;
    expect(&second.ok()?, &json!(5))?;
    ensure!(first.invocation()? == second.invocation()?, "two invocations");
    expect(&env.server.call(&path, json!(0)).await?, &json!(5))
}

async fn an_idempotent_send(env: &Env) -> Result<()> {
    let (key, idempotency) = (env.key(), env.key());
    let path = format!("/Cell/{key}/add/send");
    let header = [("idempotency-key", idempotency.as_str())];
    let first = env.server.post_with(&path, &json!(5), &header).await?.ok()?;
    let second = env.server.post_with(&path, &json!(5), &header).await?.ok()?;
    expect(&first["status"], &json!("Accepted"))?;
    expect(&second["status"], &json!("PreviouslyAccepted"))?;
    expect(&first["invocationId"], &second["invocationId"])
}

async fn attach_and_output_by_id(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/await_awakeable", json!(cell)).await?;
    let awakeable = env.told(&cell, "awakeable").await?;
    let output = format!("/restate/invocation/{id}/output");
    let early = env.server.get(&output).await?;
    ensure!(early.status == 470, "{} before the end", early.status);
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    let attaching = tokio::spawn({
        let (server, path) = (env.server.clone(), format!("/restate/invocation/{id}/attach"));
        async move { server.get(&path).await }
    });
    env.server.post(&path, &json!("done")).await?.ok()?;
    expect(&attaching.await??.ok()?, &json!("done"))?;
    expect(&env.server.get(&output).await?.ok()?, &json!("done"))
}

async fn attach_by_idempotency_key(env: &Env) -> Result<()> {
    let (key, idempotency) = (env.key(), env.key());
    let header = [("idempotency-key", idempotency.as_str())];
    env.server.post_with(&format!("/Cell/{key}/add"), &json!(7), &header).await?.ok()?;
    let path = format!("/restate/invocation/Cell/{key}/add/{idempotency}/attach");
    expect(&env.server.get(&path).await?.ok()?, &json!(7))
}

async fn unknown_invocations(env: &Env) -> Result<()> {
    let nobody = format!("inv_1{}", "0".repeat(33));
    for verb in ["attach", "output"] {
        let path = format!("/restate/invocation/{nobody}/{verb}");
        env.server.get(&path).await?.expect_failure(404, "")?;
        let path = format!("/restate/invocation/nonsense/{verb}");
        env.server.get(&path).await?.expect_failure(400, "")?;
    }
    Ok(())
}

async fn the_new_forms(env: &Env) -> Result<()> {
    let key = env.key();
    expect(&env.server.call(&format!("/restate/call/Cell/{key}/add"), json!(2)).await?, &json!(2))?;
    let sent = env.server.call("/restate/send/Lab/upper", json!("x")).await?;
    let id = sent["invocationId"].as_str().context("no invocationId")?;
    let target = json!({ "target": "invocation", "invocationId": id });
    let found = env.server.call("/restate/lookup", target).await?;
    expect(&found["invocationId"], &json!(id))
}

async fn health(env: &Env) -> Result<()> {
    let health = env.server.get("/restate/health").await?.ok()?;
    let services = health["services"].as_array().context("no services")?;
    ensure!(services.contains(&json!("Lab")), "{health}");
    Ok(())
}

async fn a_private_service(env: &Env) -> Result<()> {
    env.server.get("/Hidden/reveal").await?.expect_failure(400, "")?;
    expect(&env.server.get("/Lab/call_hidden").await?.ok()?, &json!("found"))
}

async fn an_idempotency_key_expires(env: &Env) -> Result<()> {
    let (key, idempotency) = (env.key(), env.key());
    let path = format!("/Cell/{key}/add_briefly");
    let header = [("idempotency-key", idempotency.as_str())];
    expect(&env.server.post_with(&path, &json!(1), &header).await?.ok()?, &json!(1))?;
    env.server
        .eventually(|| async {
            expect(&env.server.post_with(&path, &json!(1), &header).await?.ok()?, &json!(2))
        })
        .await
}
