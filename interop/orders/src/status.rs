//! The status of an order, as the customer sees it.

use restate_sdk::prelude::*;
use services_food_ordering::order::{Status, Step};

/// The steps of one order; the key is its id.
pub struct OrderStatus;

const STEPS: &str = "steps";

#[object]
impl OrderStatus {
    /// Records that the order has progressed. A step backwards is kept too: it would be a fault of
    /// the runtime, and the history must show it.
    #[handler]
    async fn set(&self, ctx: ObjectContext<'_>, Json(step): Json<Step>) -> HandlerResult<()> {
        let Json(mut steps) = ctx.get::<Json<Vec<Step>>>(STEPS).await?.unwrap_or(Json(Vec::new()));
        steps.push(step);
        ctx.set(STEPS, Json(steps));
        Ok(())
    }

    /// The current status of the order.
    #[handler]
    async fn get(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Option<Status>>> {
        let steps = ctx.get::<Json<Vec<Step>>>(STEPS).await?;
        Ok(Json(steps.and_then(|Json(steps)| Some(steps.last()?.status))))
    }

    /// All steps of the order so far.
    #[handler]
    async fn history(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Vec<Step>>> {
        let steps = ctx.get::<Json<Vec<Step>>>(STEPS).await?;
        Ok(steps.unwrap_or(Json(Vec::new())))
    }
}
