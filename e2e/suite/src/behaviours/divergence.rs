//! Handlers that do something else when they are retried: a bug that must be noticed, and whose
//! effects must not be seen.

use anyhow::Result;
use serde_json::json;

use super::{Env, behaviours, expect};

behaviours!("divergence":
    a_call_instead_of_a_sleep, a_call_of_another_handler, a_send_to_another_handler,
    state_of_another_name,
);

/// The code of a failed attempt whose handler does something else than its journal says.
const JOURNAL_MISMATCH: u16 = 570;

async fn is_noticed(env: &Env, how: &str) -> Result<()> {
    let key = env.key();
    let failed = env.server.post(&format!("/Cell/{key}/diverge"), &json!(how)).await?;
    // Each SDK has its own words.
    failed.expect_failure(JOURNAL_MISMATCH, "")?;
    expect(&env.server.get(&format!("/List/{key}/all")).await?.ok()?, &json!([]))
}

async fn a_call_instead_of_a_sleep(env: &Env) -> Result<()> {
    is_noticed(env, "sleep_or_call").await
}

async fn a_call_of_another_handler(env: &Env) -> Result<()> {
    is_noticed(env, "another_call").await
}

async fn a_send_to_another_handler(env: &Env) -> Result<()> {
    is_noticed(env, "another_send").await
}

async fn state_of_another_name(env: &Env) -> Result<()> {
    is_noticed(env, "another_state").await
}
