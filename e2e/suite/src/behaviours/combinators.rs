//! Waiting for several things at once.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Env, behaviours, expect};

behaviours!("combinators":
    a_timeout_wins, a_value_wins_against_a_timeout, the_first_of_two, the_second_of_two,
    all_of_two, the_first_signal, the_first_that_succeeds, none_that_succeeds, all_that_succeed,
    the_first_that_fails, all_that_complete, a_run_before_a_signal, a_signal_after_a_failed_run,
    a_run_and_a_signal, runs_and_a_signal_that_complete,
);

async fn resolve(env: &Env, cell: &str, name: &str, value: Value) -> Result<()> {
    let awakeable = env.told(cell, name).await?;
    let path = format!("/restate/awakeables/{awakeable}/resolve");
    env.server.post(&path, &value).await?.ok().map(|_| ())
}

async fn result(env: &Env, id: &str) -> Result<Value> {
    env.server.get(&format!("/restate/invocation/{id}/attach")).await?.ok()
}

async fn a_timeout_wins(env: &Env) -> Result<()> {
    let asked = json!({ "cell": env.key(), "timeoutMs": 100 });
    expect(&env.server.call("/Lab/await_or_timeout", asked).await?, &json!("timeout"))
}

async fn a_value_wins_against_a_timeout(env: &Env) -> Result<()> {
    let cell = env.key();
    let asked = json!({ "cell": cell, "timeoutMs": 60_000 });
    let id = env.server.send_to("/Lab/await_or_timeout", asked).await?;
    resolve(env, &cell, "awakeable", json!("here")).await?;
    expect(&result(env, &id).await?, &json!("here"))
}

async fn the_first_of_two(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/first_of_two", json!(cell)).await?;
    resolve(env, &cell, "first", json!(1)).await?;
    expect(&result(env, &id).await?, &json!(1))
}

async fn the_second_of_two(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/first_of_two", json!(cell)).await?;
    resolve(env, &cell, "second", json!(2)).await?;
    expect(&result(env, &id).await?, &json!(2))
}

async fn all_of_two(env: &Env) -> Result<()> {
    let cell = env.key();
    let id = env.server.send_to("/Lab/all_of_two", json!(cell)).await?;
    resolve(env, &cell, "second", json!(2)).await?;
    resolve(env, &cell, "first", json!(1)).await?;
    expect(&result(env, &id).await?, &json!([1, 2]))
}

/// A handler that waits for several things at once.
struct Combined<'e> {
    env: &'e Env,
    id: String,
}

impl<'e> Combined<'e> {
    async fn start(env: &'e Env, how: &str, of: Value) -> Result<Self> {
        let id = env.server.send_to("/Lab/combine", json!({ "how": how, "of": of })).await?;
        Ok(Self { env, id })
    }

    async fn resolve(&self, signal: &str) -> Result<()> {
        let asked = json!({ "id": self.id, "name": signal, "value": format!("{signal} is in") });
        self.env.server.call("/Lab/send_signal", asked).await.map(|_| ())
    }

    async fn reject(&self, signal: &str) -> Result<()> {
        let asked = json!({ "id": self.id, "name": signal, "reason": format!("{signal} is out") });
        self.env.server.call("/Lab/send_signal", asked).await.map(|_| ())
    }

    async fn returns(&self, expected: Value) -> Result<()> {
        expect(&result(self.env, &self.id).await?, &expected)
    }

    async fn fails(&self, message: &str) -> Result<()> {
        let path = format!("/restate/invocation/{}/attach", self.id);
        self.env.server.get(&path).await?.expect_failure(500, message)
    }
}

fn signals() -> Value {
    json!([{ "signal": "a" }, { "signal": "b" }, { "signal": "c" }])
}

async fn the_first_signal(env: &Env) -> Result<()> {
    let combined = Combined::start(env, "first_completed", signals()).await?;
    combined.resolve("b").await?;
    combined.returns(json!("b is in")).await
}

async fn the_first_that_succeeds(env: &Env) -> Result<()> {
    let combined = Combined::start(env, "first_succeeded", signals()).await?;
    combined.reject("a").await?;
    combined.reject("c").await?;
    combined.resolve("b").await?;
    combined.returns(json!("b is in")).await
}

async fn none_that_succeeds(env: &Env) -> Result<()> {
    let combined = Combined::start(env, "first_succeeded", signals()).await?;
    for signal in ["a", "b", "c"] {
        combined.reject(signal).await?;
    }
    // Which failure it is depends on the SDK.
    combined.fails("").await
}

async fn all_that_succeed(env: &Env) -> Result<()> {
    let combined = Combined::start(env, "all_succeeded", signals()).await?;
    for signal in ["c", "a", "b"] {
        combined.resolve(signal).await?;
    }
    combined.returns(json!(["a is in", "b is in", "c is in"])).await
}

async fn the_first_that_fails(env: &Env) -> Result<()> {
    let combined = Combined::start(env, "all_succeeded", signals()).await?;
    combined.resolve("a").await?;
    combined.reject("b").await?;
    combined.fails("b is out").await
}

async fn all_that_complete(env: &Env) -> Result<()> {
    let combined = Combined::start(env, "all_completed", signals()).await?;
    combined.resolve("c").await?;
    combined.reject("b").await?;
    combined.resolve("a").await?;
    combined.returns(json!([["ok", "a is in"], ["err", "b is out"], ["ok", "c is in"]])).await
}

async fn a_run_before_a_signal(env: &Env) -> Result<()> {
    let of = json!([{ "signal": "a" }, { "run": "done" }]);
    let combined = Combined::start(env, "first_completed", of).await?;
    combined.returns(json!("done")).await
}

async fn a_signal_after_a_failed_run(env: &Env) -> Result<()> {
    let of = json!([{ "run_fails": "broken" }, { "signal": "a" }]);
    let combined = Combined::start(env, "first_succeeded", of).await?;
    combined.resolve("a").await?;
    combined.returns(json!("a is in")).await
}

async fn a_run_and_a_signal(env: &Env) -> Result<()> {
    let of = json!([{ "run": "done" }, { "signal": "a" }]);
    let combined = Combined::start(env, "all_succeeded", of).await?;
    combined.resolve("a").await?;
    combined.returns(json!(["done", "a is in"])).await
}

async fn runs_and_a_signal_that_complete(env: &Env) -> Result<()> {
    let of = json!([{ "run": "done" }, { "signal": "a" }, { "run_fails": "broken" }]);
    let combined = Combined::start(env, "all_completed", of).await?;
    combined.resolve("a").await?;
    combined.returns(json!([["ok", "done"], ["ok", "a is in"], ["err", "broken"]])).await
}
