//! Hidden: a service that only handlers may call, not clients.

use restate_sdk::prelude::*;

/// Private to handlers.
pub(crate) struct Hidden;

#[service(client_visibility = "pub(crate)", ingress_private)]
impl Hidden {
    #[handler]
    async fn reveal(&self, _ctx: Context<'_>) -> HandlerResult<String> {
        Ok("found".to_owned())
    }

    #[handler]
    async fn whisper(&self, _ctx: Context<'_>) -> HandlerResult<String> {
        Ok("hush".to_owned())
    }
}
