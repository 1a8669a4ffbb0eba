//! Failing handlers, and invalid requests.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Env, behaviours, expect};

behaviours!("errors":
    a_terminal_error_and_its_code, retried_until_it_succeeds, out_of_attempts_is_killed,
    an_unknown_service, an_unknown_handler, a_wrong_content_type, malformed_json,
    a_bad_path, a_wrong_method, a_failure_passes_through_a_call, metadata_of_a_handler,
    metadata_passes_through_a_call, metadata_of_a_run,
);

async fn a_terminal_error_and_its_code(env: &Env) -> Result<()> {
    let asked = json!({ "code": 418, "message": "teapot" });
    let failed = env.server.post("/Lab/fail", &asked).await?;
    failed.expect_failure(418, "teapot")?;
    ensure!(failed.headers.contains_key("x-restate-id"), "no x-restate-id");
    let source = failed.headers.get("x-restate-error-source");
    ensure!(source.is_some_and(|source| source == "invocation"), "source {source:?}");
    expect(&failed.json()?["code"], &json!(418))?;
    expect(&failed.json()?["message"], &json!("teapot"))
}

async fn retried_until_it_succeeds(env: &Env) -> Result<()> {
    let asked = json!({ "id": env.key(), "times": 3 });
    expect(&env.server.call("/Lab/fail_times", asked).await?, &json!(4))
}

async fn out_of_attempts_is_killed(env: &Env) -> Result<()> {
    let failed = env.server.post("/Lab/fail_always", &json!("hopeless")).await?;
    failed.expect_failure(500, "hopeless")
}

async fn an_unknown_service(env: &Env) -> Result<()> {
    let answer = env.server.post("/Nobody/greet", &json!(1)).await?;
    answer.expect_failure(404, "Nobody")?;
    let source = answer.headers.get("x-restate-error-source");
    ensure!(source.is_some_and(|source| source == "ingress"), "source {source:?}");
    Ok(())
}

async fn an_unknown_handler(env: &Env) -> Result<()> {
    env.server.post("/Lab/nosuchthing", &json!(1)).await?.expect_failure(404, "nosuchthing")
}

async fn a_wrong_content_type(env: &Env) -> Result<()> {
    let uri = format!("{}/Lab/upper", env.server.ingress);
    let plain = [("content-type", "text/plain")];
    let answer = env.server.send(http::Method::POST, &uri, &plain, "word").await?;
    answer.expect_failure(400, "text/plain")
}

async fn malformed_json(env: &Env) -> Result<()> {
    let uri = format!("{}/Lab/upper", env.server.ingress);
    let json = [("content-type", "application/json")];
    let answer = env.server.send(http::Method::POST, &uri, &json, "{nonsense").await?;
    answer.expect_failure(400, "")
}

async fn a_bad_path(env: &Env) -> Result<()> {
    env.server.post("/Lab/some/key/upper", &json!(1)).await?.expect_failure(400, "")?;
    env.server.post("/Cell/add", &json!(1)).await?.expect_failure(400, "")
}

async fn a_wrong_method(env: &Env) -> Result<()> {
    let uri = format!("{}/Lab/upper", env.server.ingress);
    let answer = env.server.send(http::Method::PUT, &uri, &[], "x").await?;
    answer.expect_failure(405, "")
}

async fn a_failure_passes_through_a_call(env: &Env) -> Result<()> {
    let asked = json!({ "code": 418, "message": "teapot" });
    env.server.post("/Lab/fail_through_call", &asked).await?.expect_failure(418, "teapot")
}

/// Has a handler fail with metadata, and checks that the client gets it.
async fn fails_with_metadata(env: &Env, handler: &str) -> Result<()> {
    let metadata = json!({ "colour": "brown", "size": "small" });
    let asked = json!({ "code": 418, "message": "teapot", "metadata": metadata });
    let failed = env.server.post(&format!("/Lab/{handler}"), &asked).await?;
    failed.expect_failure(418, "teapot")?;
    expect(&failed.json()?["metadata"], &metadata)
}

async fn metadata_of_a_handler(env: &Env) -> Result<()> {
    fails_with_metadata(env, "fail").await
}

async fn metadata_passes_through_a_call(env: &Env) -> Result<()> {
    fails_with_metadata(env, "fail_through_call").await
}

async fn metadata_of_a_run(env: &Env) -> Result<()> {
    fails_with_metadata(env, "run_terminal").await
}
