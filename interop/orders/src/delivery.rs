//! Delivery: finds a driver, who picks the order up and brings it to the customer.

use std::time::Duration;

use restate_sdk::prelude::*;
use services_food_ordering::order::{Status, Step};

use crate::status::OrderStatusClient;

/// One delivery; the key is its id.
pub struct DeliveryManager {
    /// How long each leg takes.
    pub leg: Duration,
}

#[object]
impl DeliveryManager {
    /// Delivers an order to its customer; returns once it has arrived.
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

/// The wall clock, in milliseconds since the epoch; may only be read inside a `run`.
pub(crate) fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
