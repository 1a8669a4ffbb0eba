//! List: stores the items appended to it, in order.

use abide_sdk::prelude::*;
use serde_json::Value;

/// One list per key.
pub(crate) struct List;

const ITEMS: State<Vec<Value>> = State::new("items");

#[object]
impl List {
    pub async fn append(&self, ctx: &ObjectContext, item: Value) -> Result<()> {
        let mut items = ITEMS.get(ctx).await?.unwrap_or_default();
        items.push(item);
        ITEMS.set(ctx, items);
        Ok(())
    }

    pub async fn all(&self, ctx: &SharedObjectContext) -> Result<Vec<Value>> {
        Ok(ITEMS.get(ctx).await?.unwrap_or_default())
    }
}
