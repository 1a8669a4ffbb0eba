//! List: keeps appended values, in order.

use restate_sdk::prelude::*;
use serde_json::Value;

/// A list per key.
pub(crate) struct List;

#[object(client_visibility = "pub(crate)")]
impl List {
    #[handler]
    async fn append(&self, ctx: ObjectContext<'_>, Json(item): Json<Value>) -> HandlerResult<()> {
        let Json(mut items) = ctx.get::<Json<Vec<Value>>>("items").await?.unwrap_or_default();
        items.push(item);
        ctx.set("items", Json(items));
        Ok(())
    }

    #[handler]
    async fn all(&self, ctx: SharedObjectContext<'_>) -> HandlerResult<Json<Vec<Value>>> {
        Ok(ctx.get("items").await?.unwrap_or_default())
    }
}
