//! The flow of an order, from the first word to the last.

use std::sync::Arc;

use abide_sdk::prelude::*;

use crate::{
    delivery::DeliveryManager,
    order::{Order, Status},
    payment::{Charge, Payments},
    restaurant::Restaurant,
    status::report,
};

/// One order, under its id.
pub struct OrderWorkflow {
    /// Who charges.
    pub payments: Payments,
    /// Who prepares.
    pub restaurant: Arc<dyn Restaurant>,
}

#[workflow]
impl OrderWorkflow {
    /// Takes an order to its end; answers with the last status.
    pub async fn run(&self, ctx: &WorkflowContext, order: Order) -> Result<Status> {
        let order_id = ctx.key();
        report(ctx, order_id, Status::Created).await?;

        // The same on every attempt: that is how the provider knows a repetition from a second charge.
        let token = ctx.uuid().to_string();
        let charge =
            Charge { order_id: order_id.to_owned(), token, amount_cents: order.total_cents };
        let is_paid = ctx.run("charge", async || Ok(self.payments.charge(&charge)?)).await?;
        if !is_paid {
            report(ctx, order_id, Status::Rejected).await?;
            return Ok(Status::Rejected);
        }
        // From here on whatever ends the order gives the money back.
        let mut saga = ctx.saga();
        let payments = self.payments.clone();
        saga.compensate("refund", move |ctx| async move {
            ctx.run("refund", async || Ok(payments.refund(&charge)?)).await?;
            report(&ctx, &charge.order_id, Status::Rejected).await
        });

        report(ctx, order_id, Status::Scheduled).await?;
        ctx.sleep(order.delivery_delay_ms.ms()).await?;

        // The restaurant answers at once and calls back when the order is ready.
        let (callback, prepared) = ctx.awakeable::<()>();
        ctx.run("ask the restaurant", || self.restaurant.prepare(order_id, &callback)).await?;
        report(ctx, order_id, Status::InPreparation).await?;
        prepared.await?;

        report(ctx, order_id, Status::SchedulingDelivery).await?;
        DeliveryManager::key(format!("to-{order_id}")).deliver(ctx, order_id.to_owned()).await?;
        report(ctx, order_id, Status::Delivered).await?;
        Ok(Status::Delivered)
    }
}
