//! Chain: five calls to Echo one after the other, six invocations per request.

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

/// The same, keeping no journal after the answer, of the caller as of the called.
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
