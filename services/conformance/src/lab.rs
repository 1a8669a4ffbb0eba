//! Lab: one handler for each feature under test. Results are JSON, so that the suite can compare
//! them.

use std::future::ready;
use std::io;
use std::time::Duration;

use abide_sdk::{Call, prelude::*};
use serde_json::{Value, json};

use crate::{
    cell::Cell,
    combine,
    executions::{executed, executions},
    hidden::Hidden,
    list::List,
};

/// The handlers that need no key.
pub(crate) struct Lab;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn ms(value: &Value) -> Duration {
    value.as_u64().unwrap_or(0).ms()
}

fn terminal(asked: &Value) -> Terminal {
    let code = asked["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
    let failure = Terminal::new(code, text(&asked["message"]));
    let metadata = asked["metadata"].as_object().into_iter().flatten();
    metadata.fold(failure, |failure, (key, value)| failure.with(key, text(value)))
}

fn fail_first(asked: &Value) -> Result<u64> {
    let attempt = executed(&text(&asked["id"]));
    if attempt <= asked["times"].as_u64().unwrap_or(0) {
        return Err(io::Error::other(format!("attempt {attempt} fails")).into());
    }
    Ok(attempt)
}

/// The version of this code.
fn version() -> String {
    std::env::var("VERSION").unwrap_or_else(|_| "1".to_owned())
}

#[service]
impl Lab {
    pub async fn echo(&self, _ctx: &Context, bytes: Raw) -> Result<Raw> {
        Ok(bytes)
    }

    pub async fn upper(&self, _ctx: &Context, word: String) -> Result<String> {
        Ok(word.to_uppercase())
    }

    pub async fn double(&self, _ctx: &Context, number: i64) -> Result<i64> {
        Ok(number * 2)
    }

    pub async fn nothing(&self, _ctx: &Context) -> Result<()> {
        Ok(())
    }

    pub async fn header(&self, ctx: &Context, name: String) -> Result<Value> {
        Ok(json!(ctx.header(&name)))
    }

    pub async fn executions(&self, _ctx: &Context, name: String) -> Result<u64> {
        Ok(executions(&name))
    }

    pub async fn fail(&self, _ctx: &Context, asked: Value) -> Result<()> {
        Err(terminal(&asked).into())
    }

    #[handler(retry(initial = "10ms", factor = 1.0))]
    pub async fn fail_times(&self, _ctx: &Context, asked: Value) -> Result<u64> {
        fail_first(&asked)
    }

    #[handler(retry(initial = "10ms", factor = 1.0, max_attempts = 2, on_max_attempts = "pause"))]
    pub async fn fail_and_pause(&self, _ctx: &Context, asked: Value) -> Result<u64> {
        fail_first(&asked)
    }

    #[handler(retry(initial = "10ms", factor = 1.0, max_attempts = 3, on_max_attempts = "kill"))]
    pub async fn fail_always(&self, _ctx: &Context, message: String) -> Result<()> {
        Err(io::Error::other(message).into())
    }

    pub async fn version(&self, _ctx: &Context) -> Result<String> {
        Ok(version())
    }

    /// The versions before and after a wait.
    pub async fn versions(&self, ctx: &Context, cell: String) -> Result<Vec<String>> {
        let before = version();
        let (id, completed) = ctx.awakeable::<Value>();
        tell(ctx, &cell, "awakeable", id);
        completed.await?;
        Ok(vec![before, version()])
    }

    /// Fails in the version that is called broken.
    #[handler(retry(initial = "10ms", factor = 1.0, max_attempts = 2, on_max_attempts = "pause"))]
    pub async fn fail_on_version(&self, _ctx: &Context, broken: String) -> Result<String> {
        if version() == broken {
            return Err(io::Error::other(format!("version {broken} is broken")).into());
        }
        Ok(version())
    }

    pub async fn chain(&self, ctx: &Context, depth: u64) -> Result<u64> {
        if depth == 0 {
            return Ok(0);
        }
        Ok(Self::call().chain(ctx, depth - 1).await? + 1)
    }

    pub async fn call_failing(&self, ctx: &Context, asked: Value) -> Result<Value> {
        match Self::call().fail(ctx, asked).await {
            Ok(()) => Ok(json!("no failure")),
            Err(error) => Ok(json!([error.code(), error.message()])),
        }
    }

    pub async fn fail_through_call(&self, ctx: &Context, asked: Value) -> Result<()> {
        Ok(Self::call().fail(ctx, asked).await?)
    }

    pub async fn call_hidden(&self, ctx: &Context) -> Result<String> {
        Ok(Hidden::call().reveal(ctx).await?)
    }

    /// Calls where it is asked to, sends otherwise, and waits at the end.
    pub async fn mixed_calls(&self, ctx: &Context, asked: Value) -> Result<()> {
        let is_call = asked["calls"].as_array().cloned().unwrap_or_default();
        let mut calls = Vec::new();
        for (number, is_call) in is_call.into_iter().enumerate() {
            let list = List::key(text(&asked["key"]));
            if is_call == true {
                calls.push(list.append(ctx, json!(number)));
            } else {
                list.send().append(ctx, json!(number));
            }
        }
        try_join_all(calls).await?;
        Ok(())
    }

    pub async fn double_all(&self, ctx: &Context, numbers: Vec<i64>) -> Result<i64> {
        let calls = numbers.into_iter().map(|number| Self::call().double(ctx, number));
        Ok(try_join_all(calls).await?.into_iter().sum())
    }

    pub async fn call_cell(&self, ctx: &Context, asked: Value) -> Result<i64> {
        let amount = asked["amount"].as_i64().unwrap_or(1);
        Ok(Cell::key(text(&asked["key"])).add(ctx, amount).await?)
    }

    pub async fn call_same_twice(&self, ctx: &Context, key: String) -> Result<Value> {
        let mut answers = Vec::new();
        for _ in 0..2 {
            answers.push(Cell::key(&key).idempotency_key("once").add(ctx, 1).await?);
        }
        Ok(json!(answers))
    }

    pub async fn send_many(&self, ctx: &Context, asked: Value) -> Result<()> {
        for n in 0..asked["count"].as_u64().unwrap_or(0) {
            List::key(text(&asked["key"])).send().append(ctx, json!(n));
        }
        Ok(())
    }

    pub async fn send_later(&self, ctx: &Context, asked: Value) -> Result<String> {
        let list = List::key(text(&asked["key"])).after(ms(&asked["delayMs"]));
        Ok(list.append(ctx, json!("late")).invocation().await?.id().to_owned())
    }

    pub async fn send_same_twice(&self, ctx: &Context, key: String) -> Result<bool> {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let sent = List::key(&key).idempotency_key("once").send().append(ctx, json!(1));
            ids.push(sent.invocation().await?.id().to_owned());
        }
        Ok(ids[0] == ids[1])
    }

    pub async fn send_and_attach(&self, ctx: &Context, number: i64) -> Result<i64> {
        Ok(Self::send().double(ctx, number).invocation().await?.attach().await?)
    }

    /// Returns the closure's value; the closure is not executed again on replay.
    pub async fn run_once(&self, ctx: &Context, id: String) -> Result<Value> {
        let value = ctx.run("once", async || Ok(executed(&id))).await?;
        ctx.sleep(50.ms()).await?;
        let again = ctx.run("again", || ready(Ok("b".to_owned()))).await?;
        Ok(json!([value, again]))
    }

    pub async fn run_many(&self, ctx: &Context, count: u64) -> Result<u64> {
        let mut sum = 0;
        for n in 0..count {
            sum += ctx.run("n", async || Ok(n)).await?;
        }
        Ok(sum)
    }

    pub async fn run_retried(&self, ctx: &Context, asked: Value) -> Result<u64> {
        let run = ctx.run("retried", async || fail_first(&asked));
        Ok(run.retry(Retry::fixed(10.ms())).await?)
    }

    pub async fn run_exhausted(&self, ctx: &Context, asked: Value) -> Result<Value> {
        let id = text(&asked["id"]);
        let max = u32::try_from(asked["max"].as_u64().unwrap_or(1)).unwrap_or(1);
        let run = ctx.run("exhausted", async || {
            executed(&id);
            Err::<(), _>(io::Error::other("never").into())
        });
        let failed = run.retry(Retry::fixed(10.ms()).max_attempts(max)).await;
        Ok(json!([failed.is_err(), executions(&id)]))
    }

    pub async fn run_terminal(&self, ctx: &Context, asked: Value) -> Result<()> {
        Ok(ctx.run("terminal", async || Err(terminal(&asked).into())).await?)
    }

    pub async fn sleep(&self, ctx: &Context, duration_ms: u64) -> Result<String> {
        ctx.sleep(duration_ms.ms()).await?;
        Ok("slept".to_owned())
    }

    pub async fn sleep_many(&self, ctx: &Context, count: u64) -> Result<u64> {
        try_join_all((0..count).map(|n| ctx.sleep((10 + n % 40).ms()))).await?;
        Ok(count)
    }

    pub async fn await_awakeable(&self, ctx: &Context, cell: String) -> Result<Value> {
        let (id, completed) = ctx.awakeable();
        tell(ctx, &cell, "awakeable", id);
        Ok(completed.await?)
    }

    pub async fn await_or_timeout(&self, ctx: &Context, asked: Value) -> Result<Value> {
        let (id, completed) = ctx.awakeable();
        tell(ctx, &text(&asked["cell"]), "awakeable", id);
        match completed.timeout(ms(&asked["timeoutMs"])).await {
            Err(error) if error.is_elapsed() => Ok(json!("timeout")),
            other => Ok(other?),
        }
    }

    pub async fn first_of_two(&self, ctx: &Context, cell: String) -> Result<Value> {
        let (first_id, first) = ctx.awakeable();
        let (second_id, second) = ctx.awakeable();
        tell(ctx, &cell, "first", first_id);
        tell(ctx, &cell, "second", second_id);
        // Tokio's `select!` polls its branches in random order, which makes no difference here.
        tokio::select! {
            value = first => Ok(value?),
            value = second => Ok(value?),
        }
    }

    pub async fn all_of_two(&self, ctx: &Context, cell: String) -> Result<Value> {
        let (first_id, first) = ctx.awakeable::<Value>();
        let (second_id, second) = ctx.awakeable::<Value>();
        tell(ctx, &cell, "first", first_id);
        tell(ctx, &cell, "second", second_id);
        let (first, second) = futures::try_join!(first, second)?;
        Ok(json!([first, second]))
    }

    pub async fn resolve_awakeable(&self, ctx: &Context, asked: Value) -> Result<()> {
        ctx.resolve_awakeable(&text(&asked["id"]), &asked["value"]);
        Ok(())
    }

    pub async fn reject_awakeable(&self, ctx: &Context, asked: Value) -> Result<()> {
        let failure = Terminal::new(500, text(&asked["reason"]));
        ctx.reject_awakeable(&text(&asked["id"]), failure);
        Ok(())
    }

    pub async fn same_random(&self, ctx: &Context, id: String) -> Result<Value> {
        let number = ctx.random_u64().to_string();
        let attempts = executed(&id);
        ctx.sleep(50.ms()).await?;
        let journaled = ctx.run("number", async || Ok(number.clone())).await?;
        Ok(json!([number == journaled, attempts >= 1]))
    }

    pub async fn wait_for_signal(&self, ctx: &Context, cell: String) -> Result<Value> {
        tell(ctx, &cell, "invocation", ctx.invocation_id().to_owned());
        Ok(Signal::new("go").receive(ctx).await?)
    }

    pub async fn send_signal(&self, ctx: &Context, asked: Value) -> Result<()> {
        let id = text(&asked["id"]);
        let signal = Signal::<Value>::named(asked["name"].as_str().unwrap_or("go"));
        match asked["reason"].as_str() {
            Some(reason) => signal.reject(ctx, &id, Terminal::new(500, reason)),
            None => signal.send(ctx, &id, &asked["value"]),
        }
        Ok(())
    }

    pub async fn combine(&self, ctx: &Context, asked: Value) -> Result<Value> {
        combine::combine(ctx, &asked).await
    }

    /// Sleeps until it is cancelled, and records that.
    pub async fn until_cancelled(&self, ctx: &Context, cell: String) -> Result<()> {
        tell(ctx, &cell, "started", "yes".to_owned());
        recorded(ctx, &cell, ctx.sleep(1.days()).await)
    }

    /// Waits for an awakeable that nobody completes, until it is cancelled.
    pub async fn await_until_cancelled(&self, ctx: &Context, cell: String) -> Result<()> {
        let (_, never) = ctx.awakeable();
        tell(ctx, &cell, "started", "yes".to_owned());
        recorded(ctx, &cell, never.await)
    }

    /// Calls a handler that sleeps until it is cancelled.
    pub async fn call_until_cancelled(&self, ctx: &Context, cell: String) -> Result<()> {
        Ok(Self::call().until_cancelled(ctx, cell).await?)
    }

    pub async fn cancel(&self, ctx: &Context, id: String) -> Result<()> {
        ctx.invocation::<()>(id).cancel();
        Ok(())
    }

    /// Calls an object that holds its lock for longer than any test takes.
    pub async fn call_forever(&self, ctx: &Context, key: String) -> Result<()> {
        Ok(Cell::key(key).forever(ctx).await?)
    }

    /// Calls an object that waits for its own lock.
    pub async fn call_deadlock(&self, ctx: &Context, key: String) -> Result<()> {
        Ok(Cell::key(key).deadlock(ctx).await?)
    }

    /// Pauses long enough to be killed, then performs an effect that must happen once.
    pub async fn slow_add(&self, ctx: &Context, asked: Value) -> Result<i64> {
        let key = text(&asked["key"]);
        tell(ctx, &format!("{key}-told"), "started", "yes".to_owned());
        ctx.run("before", async || Ok(())).await?;
        ctx.sleep(ms(&asked["pauseMs"])).await?;
        Ok(Cell::key(key).add(ctx, 1).await?)
    }

    /// Makes several calls and awaits them together.
    pub async fn join(&self, ctx: &Context, words: Vec<String>) -> Result<Value> {
        let calls: Vec<Call<'_, String>> =
            words.into_iter().map(|word| Self::call().upper(ctx, word)).collect();
        Ok(json!(futures::future::try_join_all(calls).await?))
    }
}

/// Stores a value in a cell, where the suite finds it.
fn tell(ctx: &Context, cell: &str, name: &str, value: String) {
    Cell::key(cell).send().set(ctx, json!({ "k": name, "v": value }));
}

/// Records in a cell that a wait has failed.
fn recorded(ctx: &Context, cell: &str, outcome: Result<(), Terminal>) -> Result<()> {
    if let Err(error) = &outcome {
        tell(ctx, cell, "cancelled", error.code().to_string());
    }
    Ok(outcome?)
}
