//! New versions of the services while invocations are in progress.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Env, behaviours, expect, operations::is_paused};

behaviours!("deployments":
    what_is_in_progress_stays_on_its_version, a_paused_one_goes_on_in_another_version,
);

async fn version(env: &Env) -> Result<Value> {
    env.server.get("/Lab/version").await?.ok()
}

async fn what_is_in_progress_stays_on_its_version(env: &Env) -> Result<()> {
    let (cell, old) = (env.key(), version(env).await?);
    let id = env.server.send_to("/Lab/versions", json!(cell)).await?;
    let awakeable = env.told(&cell, "awakeable").await?;
    env.bed.lock().await.upgrade().await?;
    ensure!(version(env).await? != old, "still version {old}");
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    env.server.post(&path, &json!(1)).await?.ok()?;
    let path = format!("/restate/invocation/{id}/attach");
    expect(&env.server.get(&path).await?.ok()?, &json!([old, old]))
}

async fn a_paused_one_goes_on_in_another_version(env: &Env) -> Result<()> {
    let old = version(env).await?;
    let id = env.server.send_to("/Lab/fail_on_version", old).await?;
    is_paused(env, &id).await?;
    env.bed.lock().await.upgrade().await?;
    let resumed = env.server.control(&id, "resume?deployment=latest").await?;
    ensure!(resumed.status.is_success(), "resume: {}", resumed.status);
    let path = format!("/restate/invocation/{id}/attach");
    expect(&env.server.get(&path).await?.ok()?, &version(env).await?)
}
