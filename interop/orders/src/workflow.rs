//! The flow of an order, from creation to delivery.

use std::time::Duration;

use restate_sdk::prelude::*;
use serde_json::json;
use services_food_ordering::{
    http::Http,
    order::{Order, Status, Step},
    payment::{Charge, Payments},
};

use crate::{
    delivery::{DeliveryManagerClient, now_ms},
    status::OrderStatusClient,
};

/// One order; the key is its id.
pub struct OrderWorkflow {
    /// The payment provider.
    pub payments: Payments,
    /// Base URI of the restaurant's point of sale, like `http://127.0.0.1:5050`.
    pub restaurant: String,
    /// The client that reaches it.
    pub http: Http,
}

#[workflow]
impl OrderWorkflow {
    /// Processes an order to completion; returns its final status.
    #[handler]
    async fn run(
        &self,
        ctx: WorkflowContext<'_>,
        Json(order): Json<Order>,
    ) -> HandlerResult<Json<Status>> {
        let order_id = ctx.key().to_owned();
        let report = async |status| {
            let at_ms = ctx.run(async || Ok(now_ms())).name("clock").await?;
            let order = ctx.object_client::<OrderStatusClient<'_>>(&order_id);
            order.set(Json(Step { status, at_ms })).send();
            Ok::<_, TerminalError>(())
        };
        report(Status::Created).await?;

        // Created once and journaled: every retry of the charge below uses the same token.
        let token = format!("{:016x}", ctx.random_seed());
        let charge = Charge { order_id: order_id.clone(), token, amount_cents: order.total_cents };
        let payments = self.payments.clone();
        let is_paid = ctx.run(async move || Ok(payments.charge(&charge)?)).name("charge").await?;
        if !is_paid {
            report(Status::Rejected).await?;
            return Ok(Json(Status::Rejected));
        }

        report(Status::Scheduled).await?;
        ctx.sleep(Duration::from_millis(order.delivery_delay_ms)).await?;

        // The restaurant is a plain HTTP server: it responds at once, and calls back when the order
        // is ready.
        let (callback, prepared) = ctx.awakeable::<()>();
        let (http, at) = (self.http.clone(), format!("{}/prepare", self.restaurant));
        let body = json!({ "orderId": order_id, "cb": callback });
        ctx.run(async move || Ok(http.post(&at, &body).await?)).name("ask the restaurant").await?;
        report(Status::InPreparation).await?;
        prepared.await?;

        report(Status::SchedulingDelivery).await?;
        let delivery = ctx.object_client::<DeliveryManagerClient<'_>>(format!("to-{order_id}"));
        delivery.deliver(order_id.clone()).call().await?;
        report(Status::Delivered).await?;
        Ok(Json(Status::Delivered))
    }
}
