//! The flow of an order, from start to finish.

use std::sync::Arc;

use abide_sdk::prelude::*;

use crate::{
    delivery::DeliveryManager,
    order::{Order, Status},
    payment::{Charge, Payments},
    restaurant::Restaurant,
    status::report,
};

/// A workflow for each order; the key is the order's id.
pub struct OrderWorkflow {
    /// The provider that charges the customer.
    pub payments: Payments,
    /// The restaurant that prepares the order.
    pub restaurant: Arc<dyn Restaurant>,
}

#[workflow]
impl OrderWorkflow {
    /// Takes an order from start to finish; returns its final status.
    pub async fn run(&self, ctx: &WorkflowContext, order: Order) -> Result<Status> {
        let order_id = ctx.key();
        report(ctx, order_id, Status::Created).await?;

        // The same on every attempt, so that the provider can tell a repetition from a second
        // charge.
        let token = ctx.uuid().to_string();
        let charge =
            Charge { order_id: order_id.to_owned(), token, amount_cents: order.total_cents };
        let is_paid = ctx.run("charge", async || Ok(self.payments.charge(&charge)?)).await?;
        if !is_paid {
            report(ctx, order_id, Status::Rejected).await?;
            return Ok(Status::Rejected);
        }
        // From here on, any terminal failure refunds the payment.
        let mut saga = ctx.saga();
        let payments = self.payments.clone();
        saga.compensate("refund", move |ctx| async move {
            ctx.run("refund", async || Ok(payments.refund(&charge)?)).await?;
            report(&ctx, &charge.order_id, Status::Rejected).await
        });

        report(ctx, order_id, Status::Scheduled).await?;
        ctx.sleep(order.delivery_delay_ms.ms()).await?;

        // The restaurant responds at once, and calls back when the order is ready.
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
