use abide_sdk::prelude::*;

struct Greeter;

#[service]
impl Greeter {
    async fn greet(&self, _ctx: &Context) -> Result<()> {
        Ok(())
    }
}

fn main() {}
