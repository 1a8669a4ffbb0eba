//! Handlers that call other handlers and send to them.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Env, behaviours, expect};

behaviours!("calls":
    a_service, an_object, a_chain, several_at_once, in_order_of_the_answers, a_failing_callee,
    the_same_idempotency_key_is_one_call, sends_arrive_in_order, a_send_with_an_idempotency_key,
    attaching_to_a_send, no_input_no_output, a_send_between_calls, a_call_between_sends,
    calls_before_a_send, a_call_with_an_idempotency_key_has_an_output,
);

async fn a_service(env: &Env) -> Result<()> {
    expect(&env.server.call("/Lab/chain", json!(1)).await?, &json!(1))
}

async fn an_object(env: &Env) -> Result<()> {
    let asked = json!({ "key": env.key(), "amount": 4 });
    expect(&env.server.call("/Lab/call_cell", asked.clone()).await?, &json!(4))?;
    expect(&env.server.call("/Lab/call_cell", asked).await?, &json!(8))
}

async fn a_chain(env: &Env) -> Result<()> {
    expect(&env.server.call("/Lab/chain", json!(8)).await?, &json!(8))
}

async fn several_at_once(env: &Env) -> Result<()> {
    let numbers: Vec<i64> = (1..=20).collect();
    expect(&env.server.call("/Lab/double_all", json!(numbers)).await?, &json!(420))
}

async fn in_order_of_the_answers(env: &Env) -> Result<()> {
    let joined = env.server.call("/Lab/join", json!(["a", "b", "c"])).await?;
    expect(&joined, &json!(["A", "B", "C"]))
}

async fn a_failing_callee(env: &Env) -> Result<()> {
    let asked = json!({ "code": 418, "message": "teapot" });
    expect(&env.server.call("/Lab/call_failing", asked).await?, &json!([418, "teapot"]))
}

async fn the_same_idempotency_key_is_one_call(env: &Env) -> Result<()> {
    let key = env.key();
    let answers = env.server.call("/Lab/call_same_twice", json!(key)).await?;
    expect(&answers, &json!([1, 1]))?;
    expect(&env.server.call(&format!("/Cell/{key}/add"), json!(0)).await?, &json!(1))
}

async fn sends_arrive_in_order(env: &Env) -> Result<()> {
    let key = env.key();
    env.server.call("/Lab/send_many", json!({ "key": key, "count": 30 })).await?;
    let expected: Vec<i64> = (0..30).collect();
    let list = format!("/List/{key}/all");
    env.server
        .eventually(|| async { expect(&env.server.get(&list).await?.ok()?, &json!(expected)) })
        .await
}

async fn a_send_with_an_idempotency_key(env: &Env) -> Result<()> {
    let key = env.key();
    expect(&env.server.call("/Lab/send_same_twice", json!(key)).await?, &json!(true))?;
    let list = format!("/List/{key}/all");
    env.server
        .eventually(|| async { expect(&env.server.get(&list).await?.ok()?, &json!([1])) })
        .await
}

async fn attaching_to_a_send(env: &Env) -> Result<()> {
    expect(&env.server.call("/Lab/send_and_attach", json!(21)).await?, &json!(42))
}

async fn no_input_no_output(env: &Env) -> Result<()> {
    expect(&env.server.get("/Lab/nothing").await?.ok()?, &Value::Null)
}

/// Has a handler append numbers by calls and sends, as listed, and checks that the order is that in
/// which they were made.
async fn in_order(env: &Env, is_call: [bool; 3]) -> Result<()> {
    let key = env.key();
    env.server.call("/Lab/mixed_calls", json!({ "key": key, "calls": is_call })).await?;
    let list = format!("/List/{key}/all");
    env.server
        .eventually(|| async { expect(&env.server.get(&list).await?.ok()?, &json!([0, 1, 2])) })
        .await
}

async fn a_send_between_calls(env: &Env) -> Result<()> {
    in_order(env, [true, false, true]).await
}

async fn a_call_between_sends(env: &Env) -> Result<()> {
    in_order(env, [false, true, false]).await
}

async fn calls_before_a_send(env: &Env) -> Result<()> {
    in_order(env, [true, true, false]).await
}

async fn a_call_with_an_idempotency_key_has_an_output(env: &Env) -> Result<()> {
    let key = env.key();
    env.server.call("/Lab/call_same_twice", json!(key)).await?;
    let path = format!("/restate/invocation/Cell/{key}/add/once/output");
    expect(&env.server.get(&path).await?.ok()?, &json!(1))
}
