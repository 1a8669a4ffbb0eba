//! Sleeper: an invocation that suspends at once and stays suspended for as long as it is told.

use std::time::Duration;

use restate_sdk::prelude::*;

use benches::tally::Live;

/// Sleeps the given milliseconds; the inactivity timeout of zero closes its stream at once.
pub(crate) struct Sleeper;

#[service(inactivity_timeout = "0s", client_visibility = "pub(crate)")]
impl Sleeper {
    #[handler]
    async fn sleep(&self, ctx: Context<'_>, duration_ms: u64) -> HandlerResult<()> {
        sleep(ctx, duration_ms).await
    }
}

/// The same, keeping no journal after the end.
pub(crate) struct Sleeper0;

#[service(inactivity_timeout = "0s", journal_retention = "0s", client_visibility = "pub(crate)")]
impl Sleeper0 {
    #[handler]
    async fn sleep(&self, ctx: Context<'_>, duration_ms: u64) -> HandlerResult<()> {
        sleep(ctx, duration_ms).await
    }
}

async fn sleep(ctx: Context<'_>, duration_ms: u64) -> HandlerResult<()> {
    let live = Live::start();
    ctx.sleep(Duration::from_millis(duration_ms)).await?;
    live.finish();
    Ok(())
}
