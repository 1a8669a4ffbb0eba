//! Counter: a keyed object that reads and writes one row of state per invocation.

use restate_sdk::prelude::*;

/// A counter per key.
pub(crate) struct Counter;

#[object(client_visibility = "pub(crate)")]
impl Counter {
    #[handler]
    async fn add(&self, ctx: ObjectContext<'_>, amount: u64) -> HandlerResult<u64> {
        add(ctx, amount).await
    }
}

/// Like [`Counter`], but retains no journal after completion.
pub(crate) struct Counter0;

#[object(journal_retention = "0s", client_visibility = "pub(crate)")]
impl Counter0 {
    #[handler]
    async fn add(&self, ctx: ObjectContext<'_>, amount: u64) -> HandlerResult<u64> {
        add(ctx, amount).await
    }
}

async fn add(ctx: ObjectContext<'_>, amount: u64) -> HandlerResult<u64> {
    let total = ctx.get::<u64>("count").await?.unwrap_or(0) + amount;
    ctx.set("count", total);
    Ok(total)
}
