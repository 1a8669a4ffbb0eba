//! Hidden: a service that only handlers may call, not clients.

use abide_sdk::prelude::*;

/// Private to handlers.
pub(crate) struct Hidden;

#[service(private)]
impl Hidden {
    pub async fn reveal(&self, _ctx: &Context) -> Result<String> {
        Ok("found".to_owned())
    }

    pub async fn whisper(&self, _ctx: &Context) -> Result<String> {
        Ok("hush".to_owned())
    }
}
