//! Flow: a workflow that waits for a promise.

use abide_sdk::prelude::*;
use serde_json::{Value, json};

/// One run per key.
pub(crate) struct Flow;

const INPUT: State<Value> = State::new("input");
const DECISION: Promise<Value> = Promise::new("decision");

#[workflow]
impl Flow {
    pub async fn run(&self, ctx: &WorkflowContext, input: Value) -> Result<Value> {
        INPUT.set(ctx, input);
        Ok(DECISION.get(ctx).await?)
    }

    pub async fn resolve(&self, ctx: &SharedWorkflowContext, value: Value) -> Result<()> {
        Ok(DECISION.resolve(ctx, value).await?)
    }

    pub async fn reject(&self, ctx: &SharedWorkflowContext, reason: String) -> Result<()> {
        Ok(DECISION.reject(ctx, Terminal::new(500, reason)).await?)
    }

    pub async fn peek(&self, ctx: &SharedWorkflowContext) -> Result<Value> {
        Ok(DECISION.peek(ctx).await?.unwrap_or_else(|| json!("pending")))
    }

    pub async fn input(&self, ctx: &SharedWorkflowContext) -> Result<Value> {
        Ok(INPUT.get(ctx).await?.unwrap_or_default())
    }
}
