//! Cell: every operation on the state of a key.

use abide_sdk::prelude::*;
use serde_json::{Value, json};

use crate::{executions::executed, hidden::Hidden, list::List};

/// Named values for each key.
pub(crate) struct Cell;

const COUNT: State<i64> = State::new("count");
const HELD: State<String> = State::new("held");
const STARTED: State<bool> = State::new("started");

fn named(name: impl Into<String>) -> State<Value> {
    State::named(name)
}

#[object]
impl Cell {
    pub async fn set(&self, ctx: &ObjectContext, entry: Value) -> Result<()> {
        named(entry["k"].as_str().unwrap_or_default()).set(ctx, &entry["v"]);
        Ok(())
    }

    pub async fn get(&self, ctx: &SharedObjectContext, name: String) -> Result<Value> {
        Ok(named(name).get(ctx).await?.unwrap_or_default())
    }

    pub async fn clear(&self, ctx: &ObjectContext, name: String) -> Result<()> {
        named(name).clear(ctx);
        Ok(())
    }

    pub async fn clear_all(&self, ctx: &ObjectContext) -> Result<Vec<String>> {
        let keys = ctx.state_keys().await?;
        ctx.clear_all();
        Ok(keys)
    }

    pub async fn keys(&self, ctx: &SharedObjectContext) -> Result<Vec<String>> {
        Ok(ctx.state_keys().await?)
    }

    pub async fn add(&self, ctx: &ObjectContext, amount: i64) -> Result<i64> {
        added(ctx, amount).await
    }

    /// Like `add`, but results of idempotency keys are soon forgotten.
    #[handler(idempotency_retention = "1s")]
    pub async fn add_briefly(&self, ctx: &ObjectContext, amount: i64) -> Result<i64> {
        added(ctx, amount).await
    }

    pub async fn add_then_fail(&self, ctx: &ObjectContext, amount: i64) -> Result<i64> {
        let total = added(ctx, amount).await?;
        Err(Terminal::new(409, format!("count is {total}")).into())
    }

    /// Writes, reads back, clears and reads back again, all in one invocation.
    pub async fn round_trip(&self, ctx: &ObjectContext) -> Result<Value> {
        let (a, b) = (State::<i64>::new("a"), State::<i64>::new("b"));
        a.set(ctx, 1);
        let set = a.get(ctx).await?;
        a.clear(ctx);
        let cleared = a.get(ctx).await?;
        b.set(ctx, 2);
        ctx.clear_all();
        let gone = b.get(ctx).await?;
        Ok(json!([set, cleared, gone]))
    }

    /// Holds the object's lock until the awakeable whose id is in `held` is completed.
    pub async fn hold(&self, ctx: &ObjectContext) -> Result<Value> {
        let (id, released) = ctx.awakeable();
        HELD.set(ctx, id);
        Ok(released.await?)
    }

    /// Holds the object's lock for a day, longer than any test takes.
    pub async fn forever(&self, ctx: &ObjectContext) -> Result<()> {
        STARTED.set(ctx, true);
        ctx.sleep(1.days()).await?;
        Ok(())
    }

    /// Calls itself on its own key, which waits for the lock that it holds.
    pub async fn deadlock(&self, ctx: &ObjectContext) -> Result<()> {
        STARTED.set(ctx, true);
        Ok(Self::key(ctx.key()).deadlock(ctx).await?)
    }

    /// Does something else than before when it is retried, which is a bug to detect.
    #[handler(retry(initial = "10ms", factor = 1.0, max_attempts = 3, on_max_attempts = "kill"))]
    pub async fn diverge(&self, ctx: &ObjectContext, how: String) -> Result<()> {
        let is_first = executed(&format!("diverge-{}", ctx.key())) == 1;
        match (how.as_str(), is_first) {
            ("sleep_or_call", true) => ctx.sleep(1.ms()).await?,
            ("sleep_or_call", false) => drop(Hidden::call().whisper(ctx).await?),
            ("another_call", true) => drop(Hidden::call().whisper(ctx).await?),
            ("another_call", false) => drop(Hidden::call().reveal(ctx).await?),
            ("another_send", true) => drop(Hidden::send().whisper(ctx)),
            ("another_send", false) => drop(Hidden::send().reveal(ctx)),
            ("another_state", _) => named(if is_first { "a" } else { "b" }).set(ctx, json!(1)),
            (other, _) => return Err(Terminal::new(400, format!("no way {other}")).into()),
        }
        if is_first {
            return Err(std::io::Error::other("the first attempt fails").into());
        }
        List::key(ctx.key()).send().append(ctx, json!("diverged"));
        Ok(())
    }
}

async fn added(ctx: &ObjectContext, amount: i64) -> Result<i64> {
    let total = COUNT.get(ctx).await?.unwrap_or(0) + amount;
    COUNT.set(ctx, total);
    Ok(total)
}
