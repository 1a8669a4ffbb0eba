//! The status of an order, for the customer.

use abide_sdk::prelude::*;

use crate::order::{Status, Step};

/// A virtual object for each order's steps; the key is the order's id. Queries that were written for
/// other servers know it by its alias.
pub struct OrderStatus;

const STEPS: State<Vec<Step>> = State::new("steps");

#[object(metadata(alias = "orderStatus"))]
impl OrderStatus {
    /// Records that the order has reached a status. A step backwards is recorded too: it would be a
    /// bug in the runtime, and the history must show it.
    pub async fn set(&self, ctx: &ObjectContext, step: Step) -> Result<()> {
        let mut steps = STEPS.get(ctx).await?.unwrap_or_default();
        steps.push(step);
        STEPS.set(ctx, steps);
        Ok(())
    }

    /// The current status of the order, if it has one.
    pub async fn get(&self, ctx: &SharedObjectContext) -> Result<Option<Status>> {
        let steps = STEPS.get(ctx).await?.unwrap_or_default();
        Ok(steps.last().map(|step| step.status))
    }

    /// All steps of the order so far.
    pub async fn history(&self, ctx: &SharedObjectContext) -> Result<Vec<Step>> {
        Ok(STEPS.get(ctx).await?.unwrap_or_default())
    }
}

/// Reports a new status to the customer, without waiting for it to be recorded.
pub(crate) async fn report(ctx: &Context, order_id: &str, status: Status) -> Result<()> {
    let since_epoch = ctx.now().await?.duration_since(std::time::UNIX_EPOCH)?;
    let at_ms = u64::try_from(since_epoch.as_millis())?;
    OrderStatus::key(order_id).send().set(ctx, Step { status, at_ms });
    Ok(())
}
