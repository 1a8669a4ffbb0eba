//! Sink: the target of one-way sends; the tally shows when the last of them has run.

use restate_sdk::prelude::*;

use benches::tally::Live;

/// Accepts any input and returns nothing.
pub(crate) struct Sink;

#[service(client_visibility = "pub(crate)")]
impl Sink {
    #[handler]
    async fn take(&self, _ctx: Context<'_>, _text: String) -> HandlerResult<()> {
        Live::start().finish();
        Ok(())
    }
}

/// Like [`Sink`], but retains no journal after completion.
pub(crate) struct Sink0;

#[service(journal_retention = "0s", client_visibility = "pub(crate)")]
impl Sink0 {
    #[handler]
    async fn take(&self, _ctx: Context<'_>, _text: String) -> HandlerResult<()> {
        Live::start().finish();
        Ok(())
    }
}
