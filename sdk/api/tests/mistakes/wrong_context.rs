use abide_sdk::prelude::*;

struct Counter;

#[object]
impl Counter {
    pub async fn add(&self, ctx: &WorkflowContext, more: u64) -> Result<u64> {
        Ok(more)
    }
}

fn main() {}
