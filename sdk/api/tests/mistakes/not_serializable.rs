use abide_sdk::prelude::*;

pub struct Order;

struct Shop;

#[service]
impl Shop {
    pub async fn place(&self, _ctx: &Context, _order: Order) -> Result<()> {
        Ok(())
    }
}

fn main() {}
