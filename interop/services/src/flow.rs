//! Flow: a workflow that waits for a promise.

use restate_sdk::prelude::*;
use serde_json::{Value, json};

/// One run per key.
pub(crate) struct Flow;

#[workflow(client_visibility = "pub(crate)")]
impl Flow {
    #[handler]
    async fn run(
        &self,
        ctx: WorkflowContext<'_>,
        Json(input): Json<Value>,
    ) -> HandlerResult<Json<Value>> {
        ctx.set("input", Json(input));
        let decision = ctx.promise::<Json<Value>>("decision").await?;
        Ok(decision)
    }

    #[handler]
    async fn resolve(
        &self,
        ctx: SharedWorkflowContext<'_>,
        Json(value): Json<Value>,
    ) -> HandlerResult<()> {
        ctx.resolve_promise("decision", Json(value));
        Ok(())
    }

    #[handler]
    async fn reject(&self, ctx: SharedWorkflowContext<'_>, reason: String) -> HandlerResult<()> {
        ctx.reject_promise("decision", TerminalError::new(reason));
        Ok(())
    }

    #[handler]
    async fn peek(&self, ctx: SharedWorkflowContext<'_>) -> HandlerResult<Json<Value>> {
        let decision = ctx.peek_promise::<Json<Value>>("decision").await?;
        Ok(Json(decision.map_or_else(|| json!("pending"), |Json(value)| value)))
    }

    #[handler]
    async fn input(&self, ctx: SharedWorkflowContext<'_>) -> HandlerResult<Json<Value>> {
        Ok(ctx.get("input").await?.unwrap_or_default())
    }
}
