//! Chain: five calls to Echo in sequence, six invocations per request.

use restate_sdk::prelude::*;

use crate::echo::{Echo0Client, EchoClient};

const CALLS: u64 = 5;

/// Five chained calls per invocation.
pub(crate) struct Chain;

#[service(client_visibility = "pub(crate)")]
impl Chain {
    #[handler]
    async fn call5(&self, ctx: Context<'_>) -> HandlerResult<u64> {
        let mut answered = 0;
        for call in 0..CALLS {
            ctx.service_client::<EchoClient<'_>>().echo(format!("hello {call}")).call().await?;
            answered += 1;
        }
        Ok(answered)
    }
}

/// Like [`Chain`], but neither the caller nor the callees retain a journal after completion.
pub(crate) struct Chain0;

#[service(journal_retention = "0s", client_visibility = "pub(crate)")]
impl Chain0 {
    #[handler]
    async fn call5(&self, ctx: Context<'_>) -> HandlerResult<u64> {
        let mut answered = 0;
        for call in 0..CALLS {
            ctx.service_client::<Echo0Client<'_>>().echo(format!("hello {call}")).call().await?;
            answered += 1;
        }
        Ok(answered)
    }
}
