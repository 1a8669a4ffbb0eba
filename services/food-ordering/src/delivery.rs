//! Delivery: a driver is found, picks up the order, and delivers it.

use std::time::Duration;

use abide_sdk::prelude::*;

use crate::{order::Status, status::report};

/// A virtual object for each delivery; the key is its id.
pub struct DeliveryManager {
    /// Duration of each leg of a delivery.
    pub leg: Duration,
}

#[object]
impl DeliveryManager {
    /// Delivers an order to its customer; returns once it has arrived.
    pub async fn deliver(&self, ctx: &ObjectContext, order_id: String) -> Result<()> {
        report(ctx, &order_id, Status::WaitingForDriver).await?;
        ctx.sleep(self.leg).await?;
        report(ctx, &order_id, Status::InDelivery).await?;
        ctx.sleep(self.leg).await?;
        Ok(())
    }
}
