use abide_sdk::prelude::*;

struct Greeter;

#[service(retentoin = "7d")]
impl Greeter {
    pub async fn greet(&self, _ctx: &Context) -> Result<()> {
        Ok(())
    }
}

fn main() {}
