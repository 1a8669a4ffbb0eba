//! Cell: keyed state of every kind, and a lock that can be held.

use std::time::Duration;

use restate_sdk::prelude::*;
use serde_json::{Value, json};

use crate::{executions::executed, hidden::HiddenClient, list::ListClient};

/// State per key.
pub(crate) struct Cell;

const DAY: Duration = Duration::from_secs(86_400);

#[object(client_visibility = "pub(crate)")]
impl Cell {
    #[handler]
    async fn set(&self, ctx: ObjectContext<'_>, Json(entry): Json<Value>) -> HandlerResult<()> {
        ctx.set(entry["k"].as_str().unwrap_or_default(), Json(entry["v"].clone()));
        Ok(())
    }

    #[handler]
    async fn get(&self, ctx: SharedObjectContext<'_>, name: String) -> HandlerResult<Json<Value>> {
        Ok(ctx.get(&name).await?.unwrap_or_default())
    }

    #[handler]
    async fn clear(&self, ctx: ObjectContext<'_>, name: String) -> HandlerResult<()> {
        ctx.clear(&name);
        Ok(())
    }

    #[handler]
    async fn clear_all(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Vec<String>>> {
        let mut keys = ctx.get_keys().await?;
        keys.sort();
        ctx.clear_all();
        Ok(Json(keys))
    }

    #[handler]
    async fn keys(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Vec<String>>> {
        let mut keys = ctx.get_keys().await?;
        keys.sort();
        Ok(Json(keys))
    }

    #[handler]
    async fn add(&self, ctx: ObjectContext<'_>, amount: i64) -> HandlerResult<i64> {
        added(&ctx, amount).await
    }

    /// Like `add`, but results of idempotency keys are soon forgotten.
    #[handler(idempotency_retention = "1s")]
    async fn add_briefly(&self, ctx: ObjectContext<'_>, amount: i64) -> HandlerResult<i64> {
        added(&ctx, amount).await
    }

    #[handler]
    async fn add_then_fail(&self, ctx: ObjectContext<'_>, amount: i64) -> HandlerResult<i64> {
        let total = added(&ctx, amount).await?;
        Err(TerminalError::new_with_code(409, format!("count is {total}")).into())
    }

    /// Writes, reads back, clears and reads back again, all in one invocation.
    #[handler]
    async fn round_trip(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Value>> {
        ctx.set("a", 1i64);
        let set = ctx.get::<i64>("a").await?;
        ctx.clear("a");
        let cleared = ctx.get::<i64>("a").await?;
        ctx.set("b", 2i64);
        ctx.clear_all();
        let gone = ctx.get::<i64>("b").await?;
        Ok(Json(json!([set, cleared, gone])))
    }

    /// Holds the object's lock until the awakeable whose id it stores in the cell is completed.
    #[handler]
    async fn hold(&self, ctx: ObjectContext<'_>) -> HandlerResult<Json<Value>> {
        let (id, released) = ctx.awakeable::<Json<Value>>();
        ctx.set("held", Json(id));
        Ok(released.await?)
    }

    /// Holds the object's lock forever.
    #[handler]
    async fn forever(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.set("started", Json(json!(true)));
        ctx.sleep(DAY).await?;
        Ok(())
    }

    /// Calls itself on its own key, which waits for the lock that it holds.
    #[handler]
    async fn deadlock(&self, ctx: ObjectContext<'_>) -> HandlerResult<()> {
        ctx.set("started", Json(json!(true)));
        Ok(ctx.object_client::<CellClient<'_>>(ctx.key()).deadlock().call().await?)
    }

    /// Does something else than before when it is retried, which is a bug to detect.
    #[handler(invocation_retry_policy(
        initial_interval = "10ms",
        factor = 1.0,
        max_attempts = 3,
        on_max_attempts = "kill"
    ))]
    async fn diverge(&self, ctx: ObjectContext<'_>, how: String) -> HandlerResult<()> {
        let is_first = executed(&format!("diverge-{}", ctx.key())) == 1;
        let hidden = ctx.service_client::<HiddenClient<'_>>();
        match (how.as_str(), is_first) {
            ("sleep_or_call", true) => ctx.sleep(Duration::from_millis(1)).await?,
            ("sleep_or_call", false) => drop(hidden.whisper().call().await?),
            ("another_call", true) => drop(hidden.whisper().call().await?),
            ("another_call", false) => drop(hidden.reveal().call().await?),
            ("another_send", true) => drop(hidden.whisper().send()),
            ("another_send", false) => drop(hidden.reveal().send()),
            ("another_state", _) => ctx.set(if is_first { "a" } else { "b" }, 1i64),
            (other, _) => return Err(TerminalError::new(format!("no way {other}")).into()),
        }
        if is_first {
            return Err(std::io::Error::other("the first attempt fails").into());
        }
        ctx.object_client::<ListClient<'_>>(ctx.key()).append(Json(json!("diverged"))).send();
        Ok(())
    }
}

async fn added(ctx: &ObjectContext<'_>, amount: i64) -> HandlerResult<i64> {
    let total = ctx.get::<i64>("count").await?.unwrap_or(0) + amount;
    ctx.set("count", total);
    Ok(total)
}
