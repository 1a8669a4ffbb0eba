//! What the customer sees of an order.

use restate_sdk::prelude::*;
use services_food_ordering::order::{Status, Step};

/// The steps of one order, under its id.
pub struct OrderStatus;

const STEPS: &str = "steps";

#[object]
impl OrderStatus {
    /// Notes that the order has got further. A step back is kept too: it would be a fault of the
    /// runtime, and the history must show it.
    #[handler]
    async fn set(&self, ctx: ObjectContext<'_>, Json(step): Json<Step>) -> HandlerResult<()> {
        let Json(mut steps) = ctx.get::<Json<Vec<Step>>>(STEPS).await?.unwrap_or(Json(Vec::new()));
        steps.push(step);
        ctx.set(STEPS, Json(steps));
        Ok(())
    }

    /// How far the order is.
    #[handler]
    async fn get(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Option<Status>>> {
        let steps = ctx.get::<Json<Vec<Step>>>(STEPS).await?;
        Ok(Json(steps.and_then(|Json(steps)| Some(steps.last()?.status))))
    }

    /// How it got there.
    #[handler]
    async fn history(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Vec<Step>>> {
        let steps = ctx.get::<Json<Vec<Step>>>(STEPS).await?;
        Ok(steps.unwrap_or(Json(Vec::new())))
    }
}
