//! What an operator sees and does: the journal, pausing, and editing state.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Env, behaviours, expect};

behaviours!("operations":
    the_journal_of_a_completed_invocation, paused_and_resumed, state_is_replaced,
);

async fn the_journal_of_a_completed_invocation(env: &Env) -> Result<()> {
    let id = env.server.post("/Lab/sleep", &json!(1)).await?.invocation()?;
    let query =
        format!("select index, entry_type from sys_journal where id = '{id}' order by index");
    let entries = ["Command: Input", "Command: Sleep", "Notification: Sleep", "Command: Output"];
    let entries = entries.into_iter().enumerate();
    let expected: Value = entries
        .map(|(index, entry_type)| json!({ "index": index, "entry_type": entry_type }))
        .collect();
    env.server
        .eventually(|| async { expect(&json!(env.server.rows(&query).await?), &expected) })
        .await?;
    let query = format!("select status from sys_invocation where id = '{id}'");
    expect(&json!(env.server.rows(&query).await?), &json!([{ "status": "completed" }]))
}

/// Waits until an invocation is paused.
pub(super) async fn is_paused(env: &Env, id: &str) -> Result<()> {
    let query = format!("select status from sys_invocation where id = '{id}'");
    let paused = json!([{ "status": "paused" }]);
    env.server
        .eventually(|| async { expect(&json!(env.server.rows(&query).await?), &paused) })
        .await
}

async fn paused_and_resumed(env: &Env) -> Result<()> {
    let asked = json!({ "id": env.key(), "times": 2 });
    let id = env.server.send_to("/Lab/fail_and_pause", asked).await?;
    is_paused(env, &id).await?;
    let resumed = env.server.control(&id, "resume?deployment=keep").await?;
    ensure!(resumed.status.is_success(), "resume: {}", resumed.status);
    let path = format!("/restate/invocation/{id}/attach");
    expect(&env.server.get(&path).await?.ok()?, &json!(3))
}

async fn state_is_replaced(env: &Env) -> Result<()> {
    let key = env.key();
    let body = json!({ "k": "old", "v": 1 });
    env.server.call(&format!("/Cell/{key}/set"), body).await?;
    let uri = format!("{}/services/Cell/state", env.server.admin);
    let new_state = json!({ "new": b"2" });
    let body = json!({ "object_key": key, "new_state": new_state }).to_string();
    let headers = [("content-type", "application/json")];
    env.server.send(http::Method::POST, &uri, &headers, body).await?.ok()?;
    let path = format!("/Cell/{key}/get");
    env.server
        .eventually(|| async {
            expect(&env.server.call(&path, "new".into()).await?, &json!(2))?;
            expect(&env.server.call(&path, "old".into()).await?, &Value::Null)
        })
        .await
}
