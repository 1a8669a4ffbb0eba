//! Sink: the target of one-way sends; the tally tells when the last of them has run.

use restate_sdk::prelude::*;

use benches::tally::Live;

/// Takes anything and answers nothing.
pub(crate) struct Sink;

#[service(client_visibility = "pub(crate)")]
impl Sink {
    #[handler]
    async fn take(&self, _ctx: Context<'_>, _text: String) -> HandlerResult<()> {
        Live::start().finish();
        Ok(())
    }
}

/// The same, keeping no journal after the end.
pub(crate) struct Sink0;

#[service(journal_retention = "0s", client_visibility = "pub(crate)")]
impl Sink0 {
    #[handler]
    async fn take(&self, _ctx: Context<'_>, _text: String) -> HandlerResult<()> {
        Live::start().finish();
        Ok(())
    }
}
