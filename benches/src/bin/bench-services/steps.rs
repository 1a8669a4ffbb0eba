//! Steps: ten durable steps in sequence, each of which must be on disk before the next one starts.

use restate_sdk::prelude::*;

const STEPS: u64 = 10;

/// Ten run steps per invocation.
pub(crate) struct Steps;

#[service(client_visibility = "pub(crate)")]
impl Steps {
    #[handler]
    async fn run10(&self, ctx: Context<'_>) -> HandlerResult<u64> {
        run_steps(ctx).await
    }
}

/// Like [`Steps`], but retains no journal after completion.
pub(crate) struct Steps0;

#[service(journal_retention = "0s", client_visibility = "pub(crate)")]
impl Steps0 {
    #[handler]
    async fn run10(&self, ctx: Context<'_>) -> HandlerResult<u64> {
        run_steps(ctx).await
    }
}

async fn run_steps(ctx: Context<'_>) -> HandlerResult<u64> {
    let mut sum = 0;
    for step in 0..STEPS {
        sum += ctx.run(move || async move { Ok(step) }).name("step").await?;
    }
    Ok(sum)
}
