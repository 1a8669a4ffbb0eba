use abide_sdk::prelude::*;

struct Greeter;

#[service]
impl Greeter {
    pub async fn greet(&mut self, _ctx: &Context) -> Result<()> {
        Ok(())
    }
}

fn main() {}
