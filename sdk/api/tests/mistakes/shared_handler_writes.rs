use abide_sdk::prelude::*;

const COUNT: State<u64> = State::new("count");

struct Counter;

#[object]
impl Counter {
    pub async fn look(&self, ctx: &SharedObjectContext) -> Result<()> {
        COUNT.set(ctx, 1);
        Ok(())
    }
}

fn main() {}
