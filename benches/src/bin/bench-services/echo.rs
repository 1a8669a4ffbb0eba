//! Echo: the cheapest invocation there is; what remains is the price of durability itself.

use restate_sdk::prelude::*;

/// Answers with what it was given.
pub(crate) struct Echo;

#[service(client_visibility = "pub(crate)")]
impl Echo {
    #[handler]
    async fn echo(&self, _ctx: Context<'_>, text: String) -> HandlerResult<String> {
        Ok(text)
    }
}

/// The same, keeping no journal after the answer.
pub(crate) struct Echo0;

#[service(journal_retention = "0s", client_visibility = "pub(crate)")]
impl Echo0 {
    #[handler]
    async fn echo(&self, _ctx: Context<'_>, text: String) -> HandlerResult<String> {
        Ok(text)
    }
}
