//! Delivery: a driver is found, picks the order up and brings it.

use std::time::Duration;

use abide_sdk::prelude::*;

use crate::{order::Status, status::report};

/// One delivery, under its id.
pub struct DeliveryManager {
    /// How long each leg takes.
    pub leg: Duration,
}

#[object]
impl DeliveryManager {
    /// Brings an order to its customer; answers when it is there.
    pub async fn deliver(&self, ctx: &ObjectContext, order_id: String) -> Result<()> {
        report(ctx, &order_id, Status::WaitingForDriver).await?;
        ctx.sleep(self.leg).await?;
        report(ctx, &order_id, Status::InDelivery).await?;
        ctx.sleep(self.leg).await?;
        Ok(())
    }
}
