//! Waits for several things at once, in each way that Rust's own combinators offer.

use abide_sdk::prelude::*;
use futures::future::{BoxFuture, join_all, select_all, select_ok, try_join_all};
use serde_json::{Value, json};

type Outcome = Result<Value, Terminal>;

pub(crate) async fn combine(ctx: &Context, asked: &Value) -> Result<Value> {
    let parts = asked["of"].as_array().into_iter().flatten();
    let futures: Vec<BoxFuture<'_, Outcome>> = parts.map(|part| start(ctx, part)).collect();
    match asked["how"].as_str().unwrap_or_default() {
        "first_completed" => Ok(select_all(futures).await.0?),
        "first_succeeded" => Ok(select_ok(futures).await?.0),
        "all_succeeded" => Ok(try_join_all(futures).await?.into()),
        "all_completed" => Ok(join_all(futures).await.into_iter().map(described).collect()),
        other => Err(Terminal::new(400, format!("no way {other}")).into()),
    }
}

fn start<'c>(ctx: &'c Context, part: &Value) -> BoxFuture<'c, Outcome> {
    let text = |name: &str| part[name].as_str().map(str::to_owned);
    if let Some(name) = text("signal") {
        return Box::pin(Signal::named(name).receive(ctx));
    }
    if let Some(value) = text("run") {
        return Box::pin(ctx.run("succeeds", async move || Ok(json!(value))));
    }
    let reason = text("run_fails").unwrap_or_default();
    Box::pin(ctx.run("fails", async move || Err(Terminal::new(500, reason.clone()).into())))
}

fn described(outcome: Outcome) -> Value {
    match outcome {
        Ok(value) => json!(["ok", value]),
        Err(error) => json!(["err", error.message()]),
    }
}
