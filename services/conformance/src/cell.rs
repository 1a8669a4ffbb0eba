//! Cell: every operation on the state of a key.

use abide_sdk::prelude::*;
use serde_json::{Value, json};

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
        let total = COUNT.get(ctx).await?.unwrap_or(0) + amount;
        COUNT.set(ctx, total);
        Ok(total)
    }

    pub async fn add_then_fail(&self, ctx: &ObjectContext, amount: i64) -> Result<i64> {
        let total = COUNT.get(ctx).await?.unwrap_or(0) + amount;
        COUNT.set(ctx, total);
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
}
