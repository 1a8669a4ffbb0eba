//! Waits for several signals at once, in each way that can be written with the SDK. Its
//! combinators take futures of one type, so that signals and runs cannot be mixed.

use restate_sdk::prelude::*;
use serde_json::{Value, json};

type Outcome = Result<Value, TerminalError>;

pub(crate) async fn combine(ctx: &Context<'_>, asked: &Value) -> HandlerResult<Json<Value>> {
    let parts = asked["of"].as_array().cloned().unwrap_or_default();
    if parts.iter().any(|part| !part["signal"].is_string()) {
        return Err(TerminalError::new_with_code(501, "only signals can be combined").into());
    }
    let names = parts.iter().filter_map(|part| part["signal"].as_str());
    let signals = names.map(|name| ctx.signal::<Json<Value>>(name));
    let mut signals: DurableFuturesUnordered<_> = signals.collect();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; parts.len()];
    let how = asked["how"].as_str().unwrap_or_default();
    let mut last = None;
    while let Some((index, outcome)) = signals.next().await? {
        let outcome: Outcome = outcome.map(|Json(value)| value);
        let is_end = match how {
            "first_completed" => true,
            "first_succeeded" => outcome.is_ok(),
            "all_succeeded" => outcome.is_err(),
            _ => false,
        };
        if is_end {
            return Ok(Json(outcome?));
        }
        last = Some(outcome.clone());
        outcomes[index] = Some(outcome);
    }
    let outcomes = outcomes.into_iter().flatten();
    match how {
        "first_succeeded" => Ok(Json(last.unwrap_or(Ok(Value::Null))?)),
        "all_succeeded" => Ok(Json(outcomes.collect::<Result<Vec<Value>, _>>()?.into())),
        "all_completed" => Ok(Json(outcomes.map(described).collect())),
        other => Err(TerminalError::new_with_code(400, format!("no way {other}")).into()),
    }
}

fn described(outcome: Outcome) -> Value {
    match outcome {
        Ok(value) => json!(["ok", value]),
        Err(error) => json!(["err", error.message()]),
    }
}
