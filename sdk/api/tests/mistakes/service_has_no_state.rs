use abide_sdk::prelude::*;

const COUNT: State<u64> = State::new("count");

struct Greeter;

#[service]
impl Greeter {
    pub async fn greet(&self, ctx: &Context) -> Result<u64> {
        Ok(COUNT.get(ctx).await?.unwrap_or_default())
    }
}

fn main() {}
