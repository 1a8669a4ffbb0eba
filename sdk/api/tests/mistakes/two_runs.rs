use abide_sdk::prelude::*;

struct Order;

#[workflow]
impl Order {
    pub async fn run(&self, _ctx: &WorkflowContext) -> Result<()> {
        Ok(())
    }

    pub async fn again(&self, _ctx: &WorkflowContext) -> Result<()> {
        Ok(())
    }
}

fn main() {}
