//! Sleeper: an invocation that suspends at once and stays suspended for the requested time.

use std::time::Duration;

use restate_sdk::prelude::*;

use benches::tally::Live;

/// Sleeps for the given number of milliseconds; an inactivity timeout of zero closes its stream at
/// once.
pub(crate) struct Sleeper;

#[service(inactivity_timeout = "0s", client_visibility = "pub(crate)")]
impl Sleeper {
    #[handler]
    async fn sleep(&self, ctx: Context<'_>, duration_ms: u64) -> HandlerResult<()> {
        sleep(ctx, duration_ms).await
    }
}

/// Like [`Sleeper`], but retains no journal after completion.
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
