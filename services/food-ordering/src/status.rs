//! What the customer sees of an order.

use abide_sdk::prelude::*;

use crate::order::{Status, Step};

/// The steps of one order, under its id.
pub struct OrderStatus;

const STEPS: State<Vec<Step>> = State::new("steps");

#[object]
impl OrderStatus {
    /// Notes that the order has got further. A step back is kept too: it would be a fault of the
    /// runtime, and the history must show it.
    pub async fn set(&self, ctx: &ObjectContext, step: Step) -> Result<()> {
        let mut steps = STEPS.get(ctx).await?.unwrap_or_default();
        steps.push(step);
        STEPS.set(ctx, steps);
        Ok(())
    }

    /// How far the order is.
    pub async fn get(&self, ctx: &SharedObjectContext) -> Result<Option<Status>> {
        let steps = STEPS.get(ctx).await?.unwrap_or_default();
        Ok(steps.last().map(|step| step.status))
    }

    /// How it got there.
    pub async fn history(&self, ctx: &SharedObjectContext) -> Result<Vec<Step>> {
        Ok(STEPS.get(ctx).await?.unwrap_or_default())
    }
}

/// Tells the customer that the order has got further, without waiting for it.
pub(crate) async fn report(ctx: &Context, order_id: &str, status: Status) -> Result<()> {
    let since_epoch = ctx.now().await?.duration_since(std::time::UNIX_EPOCH)?;
    let at_ms = u64::try_from(since_epoch.as_millis())?;
    OrderStatus::key(order_id).send().set(ctx, Step { status, at_ms });
    Ok(())
}
