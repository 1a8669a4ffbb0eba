//! Side effects.

use anyhow::Result;
use serde_json::json;

use super::{Env, behaviours, expect};

behaviours!("runs":
    executed_once, many_in_a_row, retried_until_success, out_of_attempts, a_terminal_failure,
    randomness_is_the_same_on_replay,
);

async fn executed_once(env: &Env) -> Result<()> {
    let name = json!(env.key());
    expect(&env.server.call("/Lab/run_once", name.clone()).await?, &json!([1, "b"]))?;
    expect(&env.server.call("/Lab/executions", name).await?, &json!(1))
}

async fn many_in_a_row(env: &Env) -> Result<()> {
    expect(&env.server.call("/Lab/run_many", json!(25)).await?, &json!(300))
}

async fn retried_until_success(env: &Env) -> Result<()> {
    let asked = json!({ "id": env.key(), "times": 3 });
    expect(&env.server.call("/Lab/run_retried", asked).await?, &json!(4))
}

async fn out_of_attempts(env: &Env) -> Result<()> {
    let asked = json!({ "id": env.key(), "max": 3 });
    expect(&env.server.call("/Lab/run_exhausted", asked).await?, &json!([true, 3]))
}

async fn a_terminal_failure(env: &Env) -> Result<()> {
    let asked = json!({ "code": 418, "message": "teapot" });
    env.server.post("/Lab/run_terminal", &asked).await?.expect_failure(418, "teapot")
}

async fn randomness_is_the_same_on_replay(env: &Env) -> Result<()> {
    let same = env.server.call("/Lab/same_random", json!(env.key())).await?;
    expect(&same, &json!([true, true]))
}
