//! Echo: the cheapest possible invocation, which leaves the cost of durability itself.

use restate_sdk::prelude::*;

/// Returns its input.
pub(crate) struct Echo;

#[service(client_visibility = "pub(crate)")]
impl Echo {
    #[handler]
    async fn echo(&self, _ctx: Context<'_>, text: String) -> HandlerResult<String> {
        Ok(text)
    }
}

/// Like [`Echo`], but retains no journal after completion.
pub(crate) struct Echo0;

#[service(journal_retention = "0s", client_visibility = "pub(crate)")]
impl Echo0 {
    #[handler]
    async fn echo(&self, _ctx: Context<'_>, text: String) -> HandlerResult<String> {
        Ok(text)
    }
}
