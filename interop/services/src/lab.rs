//! Lab: one handler per feature to test. Results are JSON, so that the suite can compare them.

use std::time::Duration;

use restate_sdk::prelude::*;
use serde_json::{Value, json};

use crate::{
    cell::CellClient,
    combine,
    executions::{executed, executions},
    hidden::HiddenClient,
    list::ListClient,
};

/// The handlers that need no key.
pub(crate) struct Lab;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn ms(value: &Value) -> Duration {
    Duration::from_millis(value.as_u64().unwrap_or(0))
}

fn quick_retries() -> RunRetryPolicy {
    RunRetryPolicy::new().initial_delay(Duration::from_millis(10)).exponentiation_factor(1.0)
}

fn terminal(asked: &Value) -> TerminalError {
    let code = asked["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
    TerminalError::new_with_code(code, text(&asked["message"]))
}

const DAY: Duration = Duration::from_secs(86_400);

fn fail_first(asked: &Value) -> HandlerResult<u64> {
    let attempt = executed(&text(&asked["id"]));
    if attempt <= asked["times"].as_u64().unwrap_or(0) {
        return Err(std::io::Error::other(format!("attempt {attempt} fails")).into());
    }
    Ok(attempt)
}

/// The version of this code.
fn version() -> String {
    std::env::var("VERSION").unwrap_or_else(|_| "1".to_owned())
}

#[service(client_visibility = "pub(crate)")]
impl Lab {
    #[handler]
    async fn echo(&self, _ctx: Context<'_>, bytes: Vec<u8>) -> HandlerResult<Vec<u8>> {
        Ok(bytes)
    }

    #[handler]
    async fn upper(&self, _ctx: Context<'_>, word: String) -> HandlerResult<String> {
        Ok(word.to_uppercase())
    }

    #[handler]
    async fn double(&self, _ctx: Context<'_>, number: i64) -> HandlerResult<i64> {
        Ok(number * 2)
    }

    #[handler]
    async fn nothing(&self, _ctx: Context<'_>) -> HandlerResult<()> {
        Ok(())
    }

    #[handler]
    async fn header(&self, ctx: Context<'_>, name: String) -> HandlerResult<Json<Value>> {
        Ok(Json(json!(ctx.headers().get(&name))))
    }

    #[handler]
    async fn executions(&self, _ctx: Context<'_>, name: String) -> HandlerResult<u64> {
        Ok(executions(&name))
    }

    #[handler]
    async fn fail(&self, _ctx: Context<'_>, Json(asked): Json<Value>) -> HandlerResult<()> {
        Err(terminal(&asked).into())
    }

    #[handler(invocation_retry_policy(initial_interval = "10ms", factor = 1.0))]
    async fn fail_times(&self, _ctx: Context<'_>, Json(asked): Json<Value>) -> HandlerResult<u64> {
        fail_first(&asked)
    }

    #[handler(invocation_retry_policy(
        initial_interval = "10ms",
        factor = 1.0,
        max_attempts = 2,
        on_max_attempts = "pause"
    ))]
    async fn fail_and_pause(
        &self,
        _ctx: Context<'_>,
        Json(asked): Json<Value>,
    ) -> HandlerResult<u64> {
        fail_first(&asked)
    }

    #[handler(invocation_retry_policy(
        initial_interval = "10ms",
        factor = 1.0,
        max_attempts = 3,
        on_max_attempts = "kill"
    ))]
    async fn fail_always(&self, _ctx: Context<'_>, message: String) -> HandlerResult<()> {
        Err(std::io::Error::other(message).into())
    }

    #[handler]
    async fn version(&self, _ctx: Context<'_>) -> HandlerResult<String> {
        Ok(version())
    }

    /// The versions before and after a wait.
    #[handler]
    async fn versions(&self, ctx: Context<'_>, cell: String) -> HandlerResult<Json<Value>> {
        let before = version();
        let (id, completed) = ctx.awakeable::<Json<Value>>();
        tell(&ctx, &cell, "awakeable", id);
        completed.await?;
        Ok(Json(json!([before, version()])))
    }

    /// Fails in the version that is called broken.
    #[handler(invocation_retry_policy(
        initial_interval = "10ms",
        factor = 1.0,
        max_attempts = 2,
        on_max_attempts = "pause"
    ))]
    async fn fail_on_version(&self, _ctx: Context<'_>, broken: String) -> HandlerResult<String> {
        if version() == broken {
            return Err(std::io::Error::other(format!("version {broken} is broken")).into());
        }
        Ok(version())
    }

    #[handler]
    async fn chain(&self, ctx: Context<'_>, depth: u64) -> HandlerResult<u64> {
        if depth == 0 {
            return Ok(0);
        }
        let below = ctx.service_client::<LabClient<'_>>().chain(depth - 1).call().await?;
        Ok(below + 1)
    }

    #[handler]
    async fn call_failing(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<Value>,
    ) -> HandlerResult<Json<Value>> {
        match ctx.service_client::<LabClient<'_>>().fail(Json(asked)).call().await {
            Ok(()) => Ok(Json(json!("no failure"))),
            Err(error) => Ok(Json(json!([error.code(), error.message()]))),
        }
    }

    #[handler]
    async fn fail_through_call(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<Value>,
    ) -> HandlerResult<()> {
        Ok(ctx.service_client::<LabClient<'_>>().fail(Json(asked)).call().await?)
    }

    #[handler]
    async fn call_hidden(&self, ctx: Context<'_>) -> HandlerResult<String> {
        Ok(ctx.service_client::<HiddenClient<'_>>().reveal().call().await?)
    }

    /// Calls where it is asked to, sends otherwise, and waits at the end.
    #[handler]
    async fn mixed_calls(&self, ctx: Context<'_>, Json(asked): Json<Value>) -> HandlerResult<()> {
        let is_call = asked["calls"].as_array().cloned().unwrap_or_default();
        let mut calls = Vec::new();
        for (number, is_call) in is_call.into_iter().enumerate() {
            let list = ctx.object_client::<ListClient<'_>>(text(&asked["key"]));
            if is_call == true {
                calls.push(list.append(Json(json!(number))).call());
            } else {
                list.append(Json(json!(number))).send();
            }
        }
        for call in calls {
            call.await?;
        }
        Ok(())
    }

    #[handler]
    async fn double_all(
        &self,
        ctx: Context<'_>,
        Json(numbers): Json<Vec<i64>>,
    ) -> HandlerResult<i64> {
        let calls: Vec<_> = numbers
            .into_iter()
            .map(|number| ctx.service_client::<LabClient<'_>>().double(number).call())
            .collect();
        let mut sum = 0;
        for call in calls {
            sum += call.await?;
        }
        Ok(sum)
    }

    #[handler]
    async fn call_cell(&self, ctx: Context<'_>, Json(asked): Json<Value>) -> HandlerResult<i64> {
        let amount = asked["amount"].as_i64().unwrap_or(1);
        Ok(ctx.object_client::<CellClient<'_>>(text(&asked["key"])).add(amount).call().await?)
    }

    #[handler]
    async fn call_same_twice(&self, ctx: Context<'_>, key: String) -> HandlerResult<Json<Value>> {
        let mut answers = Vec::new();
        for _ in 0..2 {
            let cell = ctx.object_client::<CellClient<'_>>(key.clone());
            answers.push(cell.add(1).idempotency_key("once").call().await?);
        }
        Ok(Json(json!(answers)))
    }

    #[handler]
    async fn send_many(&self, ctx: Context<'_>, Json(asked): Json<Value>) -> HandlerResult<()> {
        for n in 0..asked["count"].as_u64().unwrap_or(0) {
            ctx.object_client::<ListClient<'_>>(text(&asked["key"])).append(Json(json!(n))).send();
        }
        Ok(())
    }

    #[handler]
    async fn send_later(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<Value>,
    ) -> HandlerResult<String> {
        let list = ctx.object_client::<ListClient<'_>>(text(&asked["key"]));
        let sent = list.append(Json(json!("late"))).send_after(ms(&asked["delayMs"])).await?;
        Ok(sent.invocation_id().to_owned())
    }

    #[handler]
    async fn send_same_twice(&self, ctx: Context<'_>, key: String) -> HandlerResult<bool> {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let list = ctx.object_client::<ListClient<'_>>(key.clone());
            let sent = list.append(Json(json!(1))).idempotency_key("once").send().await?;
            ids.push(sent.invocation_id().to_owned());
        }
        Ok(ids[0] == ids[1])
    }

    #[handler]
    async fn send_and_attach(&self, ctx: Context<'_>, number: i64) -> HandlerResult<i64> {
        let sent = ctx.service_client::<LabClient<'_>>().double(number).send().await?;
        Ok(sent.attach::<i64>().await?)
    }

    /// Returns the closure's value; a replay must not execute the closure again.
    #[handler]
    async fn run_once(&self, ctx: Context<'_>, id: String) -> HandlerResult<Json<Value>> {
        let name = id.clone();
        let value = ctx.run(async move || Ok(executed(&name))).name("once").await?;
        ctx.sleep(Duration::from_millis(50)).await?;
        let again = ctx.run(async || Ok("b".to_owned())).name("again").await?;
        Ok(Json(json!([value, again])))
    }

    #[handler]
    async fn run_many(&self, ctx: Context<'_>, count: u64) -> HandlerResult<u64> {
        let mut sum = 0;
        for n in 0..count {
            sum += ctx.run(async move || Ok(n)).name("n").await?;
        }
        Ok(sum)
    }

    #[handler]
    async fn run_retried(&self, ctx: Context<'_>, Json(asked): Json<Value>) -> HandlerResult<u64> {
        let run = ctx.run(async move || fail_first(&asked));
        Ok(run.name("retried").retry_policy(quick_retries()).await?)
    }

    #[handler]
    async fn run_exhausted(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<Value>,
    ) -> HandlerResult<Json<Value>> {
        let id = text(&asked["id"]);
        let max = u32::try_from(asked["max"].as_u64().unwrap_or(1)).unwrap_or(1);
        let run = ctx.run(async move || {
            executed(&id);
            Err::<(), HandlerError>(std::io::Error::other("never").into())
        });
        let failed = run.name("exhausted").retry_policy(quick_retries().max_attempts(max)).await;
        Ok(Json(json!([failed.is_err(), executions(&text(&asked["id"]))])))
    }

    #[handler]
    async fn run_terminal(&self, ctx: Context<'_>, Json(asked): Json<Value>) -> HandlerResult<()> {
        let run = ctx.run(async move || Err::<(), HandlerError>(terminal(&asked).into()));
        Ok(run.name("terminal").await?)
    }

    #[handler]
    async fn sleep(&self, ctx: Context<'_>, duration_ms: u64) -> HandlerResult<String> {
        ctx.sleep(Duration::from_millis(duration_ms)).await?;
        Ok("slept".to_owned())
    }

    #[handler]
    async fn sleep_many(&self, ctx: Context<'_>, count: u64) -> HandlerResult<u64> {
        let sleeps: Vec<_> =
            (0..count).map(|n| ctx.sleep(Duration::from_millis(10 + n % 40))).collect();
        for sleep in sleeps {
            sleep.await?;
        }
        Ok(count)
    }

    #[handler]
    async fn await_awakeable(&self, ctx: Context<'_>, cell: String) -> HandlerResult<Json<Value>> {
        let (id, completed) = ctx.awakeable::<Json<Value>>();
        tell(&ctx, &cell, "awakeable", id);
        Ok(completed.await?)
    }

    #[handler]
    async fn await_or_timeout(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<Value>,
    ) -> HandlerResult<Json<Value>> {
        let (id, completed) = ctx.awakeable::<Json<Value>>();
        tell(&ctx, &text(&asked["cell"]), "awakeable", id);
        restate_sdk::select! {
            value = completed => Ok(value?),
            _ = ctx.sleep(ms(&asked["timeoutMs"])) => Ok(Json(json!("timeout"))),
        }
    }

    #[handler]
    async fn first_of_two(&self, ctx: Context<'_>, cell: String) -> HandlerResult<Json<Value>> {
        let (first_id, first) = ctx.awakeable::<Json<Value>>();
        let (second_id, second) = ctx.awakeable::<Json<Value>>();
        tell(&ctx, &cell, "first", first_id);
        tell(&ctx, &cell, "second", second_id);
        restate_sdk::select! {
            value = first => Ok(value?),
            value = second => Ok(value?),
        }
    }

    #[handler]
    async fn all_of_two(&self, ctx: Context<'_>, cell: String) -> HandlerResult<Json<Value>> {
        let (first_id, first) = ctx.awakeable::<Json<Value>>();
        let (second_id, second) = ctx.awakeable::<Json<Value>>();
        tell(&ctx, &cell, "first", first_id);
        tell(&ctx, &cell, "second", second_id);
        let Json(first) = first.await?;
        let Json(second) = second.await?;
        Ok(Json(json!([first, second])))
    }

    #[handler]
    async fn resolve_awakeable(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<Value>,
    ) -> HandlerResult<()> {
        ctx.resolve_awakeable(&text(&asked["id"]), Json(asked["value"].clone()));
        Ok(())
    }

    #[handler]
    async fn reject_awakeable(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<Value>,
    ) -> HandlerResult<()> {
        ctx.reject_awakeable(&text(&asked["id"]), TerminalError::new(text(&asked["reason"])));
        Ok(())
    }

    #[handler]
    async fn same_random(&self, ctx: Context<'_>, id: String) -> HandlerResult<Json<Value>> {
        let seed = ctx.random_seed().to_string();
        let attempts = executed(&id);
        ctx.sleep(Duration::from_millis(50)).await?;
        let first = seed.clone();
        let journaled = ctx.run(async move || Ok(first)).name("seed").await?;
        Ok(Json(json!([seed == journaled, attempts >= 1])))
    }

    #[handler]
    async fn wait_for_signal(&self, ctx: Context<'_>, cell: String) -> HandlerResult<Json<Value>> {
        tell(&ctx, &cell, "invocation", ctx.invocation_id().to_owned());
        Ok(ctx.signal::<Json<Value>>("go").await?)
    }

    #[handler]
    async fn send_signal(&self, ctx: Context<'_>, Json(asked): Json<Value>) -> HandlerResult<()> {
        let target = ctx.invocation_handle(text(&asked["id"]));
        let signal = target.signal(asked["name"].as_str().unwrap_or("go"));
        match asked["reason"].as_str() {
            Some(reason) => signal.reject(TerminalError::new(reason)),
            None => signal.resolve(Json(asked["value"].clone())),
        }
        Ok(())
    }

    #[handler]
    async fn combine(
        &self,
        ctx: Context<'_>,
        Json(asked): Json<Value>,
    ) -> HandlerResult<Json<Value>> {
        combine::combine(&ctx, &asked).await
    }

    /// Sleeps until it is cancelled, and records that.
    #[handler]
    async fn until_cancelled(&self, ctx: Context<'_>, cell: String) -> HandlerResult<()> {
        tell(&ctx, &cell, "started", "yes".to_owned());
        recorded(&ctx, &cell, ctx.sleep(DAY).await)
    }

    /// Waits for an awakeable that nobody completes, until it is cancelled.
    #[handler]
    async fn await_until_cancelled(&self, ctx: Context<'_>, cell: String) -> HandlerResult<()> {
        let (_, never) = ctx.awakeable::<String>();
        tell(&ctx, &cell, "started", "yes".to_owned());
        recorded(&ctx, &cell, never.await.map(|_| ()))
    }

    /// Calls a handler that sleeps until it is cancelled.
    #[handler]
    async fn call_until_cancelled(&self, ctx: Context<'_>, cell: String) -> HandlerResult<()> {
        let lab = ctx.service_client::<LabClient<'_>>();
        Ok(lab.until_cancelled(cell).call().await?)
    }

    #[handler]
    async fn cancel(&self, ctx: Context<'_>, id: String) -> HandlerResult<()> {
        ctx.invocation_handle(id).cancel();
        Ok(())
    }

    /// Calls an object that holds its lock forever.
    #[handler]
    async fn call_forever(&self, ctx: Context<'_>, key: String) -> HandlerResult<()> {
        Ok(ctx.object_client::<CellClient<'_>>(key).forever().call().await?)
    }

    /// Calls an object that waits for its own lock.
    #[handler]
    async fn call_deadlock(&self, ctx: Context<'_>, key: String) -> HandlerResult<()> {
        Ok(ctx.object_client::<CellClient<'_>>(key).deadlock().call().await?)
    }

    /// Pauses long enough to be killed, then performs an effect that must happen exactly once.
    #[handler]
    async fn slow_add(&self, ctx: Context<'_>, Json(asked): Json<Value>) -> HandlerResult<i64> {
        let key = text(&asked["key"]);
        tell(&ctx, &format!("{key}-told"), "started", "yes".to_owned());
        ctx.run(async || Ok(())).name("before").await?;
        ctx.sleep(ms(&asked["pauseMs"])).await?;
        Ok(ctx.object_client::<CellClient<'_>>(key).add(1).call().await?)
    }

    /// Makes several calls and awaits them together.
    #[handler]
    async fn join(
        &self,
        ctx: Context<'_>,
        Json(words): Json<Vec<String>>,
    ) -> HandlerResult<Json<Value>> {
        let calls = words
            .into_iter()
            .map(|word| ctx.service_client::<LabClient<'_>>().upper(word).call())
            .collect::<Vec<_>>();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await?);
        }
        Ok(Json(json!(answers)))
    }
}

/// Stores a value in a cell, where the suite finds it.
fn tell(ctx: &Context<'_>, cell: &str, name: &str, value: String) {
    ctx.object_client::<CellClient<'_>>(cell).set(Json(json!({ "k": name, "v": value }))).send();
}

/// Records in a cell that a wait has failed.
fn recorded(
    ctx: &Context<'_>,
    cell: &str,
    outcome: Result<(), TerminalError>,
) -> HandlerResult<()> {
    if let Err(error) = &outcome {
        tell(ctx, cell, "cancelled", error.code().to_string());
    }
    Ok(outcome?)
}
