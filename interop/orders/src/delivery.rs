//! Delivery: a driver is found, picks the order up and brings it.

use std::time::Duration;

use restate_sdk::prelude::*;
use services_food_ordering::order::{Status, Step};

use crate::status::OrderStatusClient;

/// One delivery, under its id.
pub struct DeliveryManager {
    /// How long each leg takes.
    pub leg: Duration,
}

#[object]
impl DeliveryManager {
    /// Brings an order to its customer; answers when it is there.
    #[handler]
    async fn deliver(&self, ctx: ObjectContext<'_>, order_id: String) -> HandlerResult<()> {
        let report = async |status| {
            let at_ms = ctx.run(async || Ok(now_ms())).name("clock").await?;
            let order = ctx.object_client::<OrderStatusClient<'_>>(&order_id);
            order.set(Json(Step { status, at_ms })).send();
            Ok::<_, TerminalError>(())
        };
        report(Status::WaitingForDriver).await?;
        ctx.sleep(self.leg).await?;
        report(Status::InDelivery).await?;
        ctx.sleep(self.leg).await?;
        Ok(())
    }
}

/// The wall clock, in milliseconds since the epoch; only to be read within a `run`.
pub(crate) fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
